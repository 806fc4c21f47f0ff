// The example packages of docs/writing-a-plugin.md as files: every TypeScript block names its file
// at the top, and all packages share the page's package.json and tsconfig.json. What is done with
// them is in the tests beside.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const page = readFileSync(new URL('../../docs/writing-a-plugin.md', import.meta.url), 'utf8');

const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(
    ([, text]) => text!,
  );

/** Text of every TypeScript block by the path that its first line names. */
export const sources: ReadonlyMap<string, string> = new Map(
  blocks('ts').map((text) => {
    const path = /^\/\/ (\S+\/src\/\S+\.ts)\n/.exec(text)?.[1];
    if (path === undefined) throw new Error(`a block of the page names no file:\n${text}`);
    return [path, text];
  }),
);

/** Names of the packages, in the page's order. */
export const packages = [...new Set([...sources.keys()].map((path) => path.split('/')[0]!))];

/** What the page has for every package. */
export const [manifest, tsconfig] = blocks('json').map((text) => JSON.parse(text) as unknown) as [
  { readonly exports: Readonly<Record<string, unknown>> },
  { readonly compilerOptions: Readonly<Record<string, unknown>> },
];

/** What the command's package.json has beside. */
const commands = JSON.parse(`{${/`("lmflow": .*)`\./.exec(page)![1]!}}`) as object;

/**
 * Writes the packages into a folder, each into its own. `entry` is where their exports point instead
 * of the build.
 */
export function writePackages(folder: string, entry?: string): void {
  for (const name of packages) {
    const exports = { ...manifest.exports, ...(entry === undefined ? {} : { '.': entry }) };
    const own = name === 'lmflow-plugin-longest' ? commands : {};
    const files = {
      'package.json': { ...manifest, name, exports, ...own },
      'tsconfig.json': tsconfig,
    };
    mkdirSync(join(folder, name), { recursive: true });
    for (const [file, value] of Object.entries(files)) {
      writeFileSync(join(folder, name, file), `${JSON.stringify(value, undefined, 2)}\n`);
    }
  }
  for (const [path, text] of sources) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
