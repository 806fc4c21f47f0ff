// The chat page: one file in the package, with a policy that lets nothing else load.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Page {
  readonly html: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads page/chat.html; its one script and one style are allowed by their hashes. */
export function readPage(): Page {
  const html = readFileSync(new URL('../page/chat.html', here()));
  const text = html.toString('utf8');
  const policy = [
    "default-src 'none'",
    `script-src '${hash(text, 'script')}'`,
    `style-src '${hash(text, 'style')}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'cache-control': 'no-cache',
      'referrer-policy': 'no-referrer',
    },
  };
}

function hash(html: string, tag: 'script' | 'style'): string {
  const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)![1]!;
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}

/** src/http/page.ts from source, a chunk in dist/ when built. */
function here(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? '..' : '.', import.meta.url);
}
