// The rule of eslint/tsdoc.mjs on modules that must pass and modules that must not.
import { Linter } from 'eslint';
import ts from 'typescript-eslint';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tsdocPlugin } from '../../eslint/tsdoc.mjs';

function complaints(code: string): string[] {
  const config = [
    {
      files: ['**/*.ts'],
      languageOptions: { parser: ts.parser },
      plugins: { tsdoc: tsdocPlugin },
      linterOptions: { reportUnusedDisableDirectives: 'off' },
      rules: { 'tsdoc/sentence': 'error' },
    } satisfies Linter.Config,
  ];
  return new Linter().verify(code, config, { filename: 'module.ts' }).map((found) => found.message);
}

const allowed = [
  '/** Rows of logits in memory at once. */\nexport const rows = 1;',
  '/**\n * Rotates x [B, T, H, D]; throws LMFLOW_SHAPE.\n * @param x the heads\n */\nexport function rope(x: number): void {}',
  '/** Keys that plugins add. */\n// eslint-disable-next-line no-empty -- why\nexport interface Sections {}',
  '/** Either of two. */\nexport function or(a: string): void;\nexport function or(a: number): void;\nexport function or(): void {}',
  '/** What it adds to the module. */\nclass Row {}\nexport { Row };',
  '/** The plugin; `lora({ r: 16 })`. */\nconst lora = 1;\nexport default lora;',
  '/** A shape and its numbers. */\nexport interface Pair {}\nexport const Pair = 1;',
  "export { x } from './x.ts';\nexport * from './y.ts';",
  'function inner(): void {}\nconst hidden = 1;',
];

const refused: [code: string, message: RegExp][] = [
  ['export function run(): void {}', /"run" has no TSDoc/],
  ['// A comment.\nexport class Loop {}', /"Loop" has no TSDoc/],
  ['/* A comment. */\nexport type Loop = 1;', /"Loop" has no TSDoc/],
  ['export interface Sizes {}', /"Sizes" has no TSDoc/],
  ['export enum Kind { A }', /"Kind" has no TSDoc/],
  ['export default definePlugin({});', /"default" has no TSDoc/],
  ['const inner = 1;\nexport { inner };', /"inner" has no TSDoc/],
  ['/** Two. */\n\nconst other = 1;\nexport const late = 1;', /"late" has no TSDoc/],
  ['/** The loaded loop. */\nexport type LoadedLoop = 1;', /repeats its name/],
  ['/** -x */\nexport function neg(): void {}', /is no sentence/],
];

for (const code of allowed) {
  test(`passes: ${code.split('\n').at(-1)}`, () => assert.equal(complaints(code), []));
}

for (const [code, message] of refused) {
  test(`refused: ${code.replaceAll('\n', ' ')}`, () => {
    const found = complaints(code);
    assert.is(found.length, 1);
    assert.match(found[0]!, message);
  });
}

test.run();
