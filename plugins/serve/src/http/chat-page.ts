// The chat page: one file of the package, with a content security policy that loads nothing else.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The page and its content security policy. */
export interface Page {
  readonly html: Buffer;
  /** Directives of its content security policy. */
  readonly policy: Readonly<Record<string, readonly string[]>>;
}

/** Reads page/chat.html; the policy allows its script and its style by their hashes. */
export function readPage(): Page {
  const html = readFileSync(new URL('../page/chat.html', here()));
  const text = html.toString('utf8');
  return {
    html,
    policy: {
      'default-src': ["'none'"],
      'script-src': [`'${hash(text, 'script')}'`],
      'style-src': [`'${hash(text, 'style')}'`],
      'connect-src': ["'self'"],
      'img-src': ['data:'],
      'base-uri': ["'none'"],
      'form-action': ["'none'"],
      'frame-ancestors': ["'none'"],
    },
  };
}

function hash(html: string, tag: 'script' | 'style'): string {
  const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)![1]!;
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}

/** src/http/chat-page.ts from source, a chunk in dist/ when built. */
function here(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? '..' : '.', import.meta.url);
}
