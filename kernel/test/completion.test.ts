// Completion: the words that `lmflow completion words` finds, and what the shells make of them.
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { main } from '../src/cli/main.ts';
import { project } from './samples.ts';

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const demo = `
import { z } from 'zod';
export default () => ({
  name: 'demo', version: '1.0.0', sdk: '^1.0.0',
  options: { section: 'demo', schema: z.object({
    size: z.int().default(8).describe('how large'),
    mode: z.enum(['slow', 'fast']).default('slow').describe('how'),
    kinds: z.union([z.literal('all'), z.array(z.enum(['a', 'b']))]).default('all').describe('which'),
    row: z.string().default('red-one').describe('a row').meta({ table: 'colours' }),
  }) },
  apply(context) {
    for (const name of ['red', 'reddish', 'green']) context.contribute({ name: 'colours', what: 'colour' }, { name });
    context.command({ name: 'show', summary: 'shows', run: async () => undefined,
      options: z.object({ style: z.enum(['plain', 'pretty']).default('plain').describe('how') }) });
  },
});
`;
const { folder, remove } = project({
  'lmflow.config.mjs': 'export default { plugins: ["./demo.mjs"] };',
  'demo.mjs': demo,
  'a file.txt': '',
  'bin/lmflow': `#!/bin/sh\nexec "${process.execPath}" --conditions=lmflow-source --import "${import.meta.resolve('tsx')}" "${cli}" "$@"\n`,
});
chmodSync(join(folder, 'bin/lmflow'), 0o755);
test.after(remove);

async function printed(...words: string[]): Promise<string> {
  let out = '';
  const write = (text: string): void => {
    out += text;
  };
  await main(['--cwd', folder, ...words], { write }, { write });
  return out;
}

const words = async (...typed: string[]): Promise<string[]> =>
  (await printed('completion', 'words', '--', ...typed)).split('\n').slice(0, -1);

test('a script for each shell, and an error for others', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    assert.match(await printed('completion', shell), /lmflow completion words/);
  }
  assert.match(await printed('completion', 'tcsh'), /LMFLOW_SHELL_UNKNOWN.*"tcsh"/);
});

const found: readonly (readonly [readonly string[], readonly string[]])[] = [
  [['show', '--si'], ['--size']],
  [['show', '--mode', 'f'], ['fast']],
  [['show', '--mode=f'], ['--mode=fast']],
  [
    ['show', '--demo-mode', ''],
    ['fast', 'slow'],
  ],
  [
    ['show', '--kinds', ''],
    ['a', 'all', 'b'],
  ],
  [
    ['show', '--row', 'red'],
    ['red', 'red-one', 'reddish'],
  ],
  [['show', '--row=g'], ['--row=green']],
  [
    ['show', '--style', 'p'],
    ['plain', 'pretty'],
  ],
  [['show', '--size', ''], []],
  [['show', '--help', 'a'], ['all']],
  [['show', ''], []],
  [
    ['inspect', '--load-model', ''],
    ['inference', 'training'],
  ],
  [['help', 'vera'], ['vera']],
  [['help', 'lora', ''], ['all']],
  [
    ['completion', ''],
    ['bash', 'fish', 'zsh'],
  ],
  [['completion', 'b'], ['bash']],
  [['completion', 'bash', ''], []],
  [['init', ''], []],
  [['--preset', 'inf'], ['inference']],
  [['--preset=inf'], ['--preset=inference']],
  [['show', '--cwd', ''], []],
];

for (const [typed, expected] of found) {
  test(`after "${typed.join(' ')}"`, async () => {
    assert.equal(await words(...typed), expected);
  });
}

test('commands and flags', async () => {
  assert.ok((await words('')).includes('finetune'));
  assert.ok((await words('--json', 'show', '--')).includes('--verbose'));
  assert.ok((await words('help', 'lo')).includes('lora'));
});

/** What a shell prints, with a script of ours loaded; undefined where there is no such shell. */
function shell(name: string, args: readonly string[], lines: string): string | undefined {
  const env = { ...process.env, PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}` };
  const { error, stdout, stderr } = spawnSync(name, [...args, '-c', lines], {
    cwd: folder,
    env: { ...env, NODE_PATH: '', HOME: folder },
    encoding: 'utf8',
  });
  if (error) return undefined;
  assert.is(stderr, '');
  return stdout;
}

// readline breaks words at the equals sign
const bash = `source <(lmflow completion bash)
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _lmflow; (IFS=,; echo "\${COMPREPLY[*]}"); }
try lmflow show --mode f
try lmflow show --mode = f
try lmflow show --mode =
try lmflow show --model = "a f"
COMP_WORDBREAKS=\${COMP_WORDBREAKS//=}
try lmflow show --mode=f
`;
const zsh = `compdef() { }; compadd() { shift; print -r -- "\${(j:,:)@}"; }; compset() { print -r -- "$*"; }; _files() { print files; }
source <(lmflow completion zsh)
try() { words=("$@"); CURRENT=$#words; PREFIX=$words[-1]; _lmflow; }
try lmflow show --mode f
try lmflow show --mode=f
try lmflow show --model=a
`;
const fish = `lmflow completion fish | source
complete -C "lmflow show --mode f"
complete -C "lmflow show --mode=f"
complete -C "lmflow show --model=a"
complete -C "lmflow completion b"
`;

for (const [name, args, lines, expected] of [
  ['bash', ['--norc'], bash, 'fast\nfast\nfast,slow\na file.txt\n--mode=fast\n'],
  ['zsh', ['-f'], zsh, 'fast\n--mode=fast\n-P --*=\nfiles\n'],
  ['fish', ['--no-config'], fish, 'fast\n--mode=fast\n--model=a file.txt\nbash\n'],
] as const) {
  test(`${name} completes values, also after an equals sign`, () => {
    const out = shell(name, args, lines);
    if (out === undefined) console.log(`skipped: no ${name}`);
    else assert.is(out, expected);
  });
}

test.run();
