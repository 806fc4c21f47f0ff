// The repository's Markdown files, and where the links in one lead.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const skipped = new Set(['node_modules', 'dist', 'shared', 'out', 'work']);

/** Paths of all Markdown files, relative to the repository, with forward slashes. */
export function markdownFiles(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return skipped.has(entry.name) || entry.name === '.git' ? [] : markdownFiles(path);
    }
    return entry.name.endsWith('.md') ? [relative(root, path).replaceAll(sep, '/')] : [];
  });
}

/** A file's text. */
export function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Links of a file, to files of the repository, that lead nowhere; `#part` must be a heading. */
export function brokenLinks(file: string): string[] {
  return [...withoutCode(textOf(file)).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target) && !leads(file, target));
}

function leads(file: string, target: string): boolean {
  const [path, part] = target.split('#');
  const found = path === '' ? join(root, file) : resolve(root, dirname(file), path!);
  if (!existsSync(found)) return false;
  if (part === undefined || !found.endsWith('.md')) return true;
  return headings(readFileSync(found, 'utf8')).includes(part);
}

const isPath = /^([\w-]+\/)+[\w.-]+\.(ts|mjs|py|md|json)$/;

/**
 * Paths in code marks that lead nowhere: not from the repository's root, not from the document's
 * folder, its sources or the folder above, and for notes on a plugin not from the plugin's.
 */
export function missingPaths(file: string): string[] {
  const places = ['', dirname(file), dirname(dirname(file))];
  const plugin = /^docs\/notes\/(.*)\.md$/.exec(file)?.[1];
  if (plugin !== undefined) places.push(join('plugins', plugin));
  const folders = places.flatMap((place) => [place, join(place, 'src')]);
  return [...withoutCode(textOf(file)).matchAll(/`([^`\n]+)`/g)]
    .map(([, code]) => code!)
    .filter((code) => isPath.test(code))
    .filter((path) => !folders.some((folder) => existsSync(join(root, folder, path))));
}

// As GitHub makes them: lower case, without punctuation, hyphens for spaces.
function headings(text: string): string[] {
  return [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** A text without its fenced blocks. */
export function withoutCode(text: string): string {
  return text.replace(/^```[^]*?^```$/gm, '');
}

/** The prose of a text: without fenced blocks, tables and comments. */
export function proseOf(text: string): string {
  return withoutCode(text)
    .split('\n')
    .filter((line) => !/^(\||<!--)/.test(line))
    .join('\n');
}
