// Words of a command line as typed values.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { readFlags } from '../src/settings/flags.ts';
import { buildKeyTable } from '../src/settings/keys.ts';
import { lora, plugin, refuses, trainer } from './samples.ts';

const table = buildKeyTable([trainer(), lora()]);
const command = {
  name: 'fit',
  summary: '',
  options: z.object({
    dryRun: z.boolean().default(false),
    tag: z.string().optional(),
    layers: z.array(z.number()).default([]),
  }),
  run: async () => undefined,
};

function values(...words: string[]): Record<string, unknown> {
  return Object.fromEntries(
    [...readFlags(words, table, command).settings].map(([path, { value }]) => [path, value]),
  );
}

const cases: readonly (readonly [string, readonly string[], Record<string, unknown>])[] = [
  ['kebab case', ['--learning-rate', '1e-4'], { learningRate: 1e-4 }],
  ['snake case with =', ['--learning_rate=1e-4'], { learningRate: 1e-4 }],
  ['camel case', ['--learningRate', '.5'], { learningRate: 0.5 }],
  ['an alias', ['--lr', '2'], { learningRate: 2 }],
  ["a section's key", ['--lora-r', '16'], { 'lora.r': 16 }],
  ['a key that repeats its section', ['--lora-alpha', '16'], { 'lora.loraAlpha': 16 }],
  ['the same in full', ['--lora-lora-alpha', '16'], { 'lora.loraAlpha': 16 }],
  ['a switch alone', ['--fp16'], { fp16: true }],
  ['a switch before another flag', ['--fp16', '--seed', '1'], { fp16: true, seed: 1 }],
  ['a switch with a value', ['--packing', 'false'], { packing: false }],
  ['a switch with =', ['--packing=true'], { packing: true }],
  ['a switch negated', ['--no-packing'], { packing: false }],
  ['the last of a repeated flag', ['--seed', '1', '--seed', '2'], { seed: 2 }],
  ['a choice', ['--lr-scheduler-type', 'cosine'], { lrSchedulerType: 'cosine' }],
  ['a list, repeated', ['--report-to', 'a', '--report-to', 'b'], { reportTo: ['a', 'b'] }],
  ['a list with commas', ['--report-to', 'a,b'], { reportTo: ['a', 'b'] }],
  ['a list of one', ['--report-to', 'a'], { reportTo: ['a'] }],
  ['a list as JSON', ['--report-to', '["a,b"]'], { reportTo: ['a,b'] }],
  [
    'a word or a list: the word',
    ['--lora-target-modules', 'all-linear'],
    { 'lora.targetModules': 'all-linear' },
  ],
  [
    'a word or a list: the list',
    ['--lora-target-modules', 'q,v'],
    { 'lora.targetModules': ['q', 'v'] },
  ],
  ['a number or text: a number', ['--warmup', '10'], { warmup: 10 }],
  ['a number or text: text', ['--warmup', '10%'], { warmup: '10%' }],
  ['an object', ['--lora-rank-pattern', '{"q": 4}'], { 'lora.rankPattern': { q: 4 } }],
  ['a section as JSON', ['--lora', '{"r": 4}'], { 'lora.r': 4 }],
  ['a section switched on', ['--lora'], {}],
  ['a path that looks like a number', ['--model', '7'], { model: '7' }],
  [
    'several datasets',
    ['--dataset', 'a.json', '--dataset', 'b.json'],
    { dataset: ['a.json', 'b.json'] },
  ],
  ['a negative number', ['--seed', '-1'], { seed: -1 }],
  ['text for a number stays text, for the schema to refuse', ['--seed', 'x'], { seed: 'x' }],
];

for (const [name, words, expected] of cases) {
  test(name, () => {
    assert.equal(values(...words), expected);
  });
}

test('a list of one choice or word beside a list of words', () => {
  const any = buildKeyTable([
    plugin('p', undefined, {
      options: {
        schema: z.object({
          stop: z.array(z.string()).default([]),
          size: z.union([z.number(), z.literal('auto')]).default('auto'),
          free: z.unknown(),
        }),
      },
    }),
  ]);
  const of = (...words: string[]): unknown =>
    [...readFlags(words, any, undefined).settings.values()].map(({ value }) => value);
  assert.equal(of('--stop', 'a', '--size', 'auto', '--free', '[1]'), [['a'], 'auto', [1]]);
  assert.equal(of('--size', '3', '--free', 'text'), [3, 'text']);
});

test("a command's own flags, and arguments", () => {
  const typed = readFlags(
    ['one', '--dry-run', '--layers', '1,2', '--seed', '3', '--', '--two'],
    table,
    { ...command, usage: '<files>' },
  );
  assert.equal(typed.options, { dryRun: true, layers: [1, 2] });
  assert.equal(typed.positionals, ['one', '--two']);
});

test("a command's other spellings are stronger than a configuration key's other spelling, weaker than its name; what it refuses is refused", async () => {
  const spec = {
    ...command,
    aliases: { lr: 'tag', seed: 'tag' },
    unsupported: { dryness: 'it is wet', model: 'never read' },
  };
  const typed = readFlags(['--lr', 'x', '--seed', '3'], table, spec);
  assert.equal(typed.options, { tag: 'x' });
  assert.equal([...typed.settings.keys()], ['seed']);
  for (const [flag, reason] of [
    ['--dryness', /--dryness.*wet/],
    ['--model', /--model.*never read/],
  ] as const) {
    await refuses('LMFLOW_OPTION_UNSUPPORTED', reason, () => readFlags([flag, '1'], table, spec));
  }
});

test('a refused key is refused in every spelling', async () => {
  await refuses(
    'LMFLOW_OPTION_UNSUPPORTED',
    /"learningRate" \(from --lr\).*nothing is learned/,
    () =>
      readFlags(['--lr', '1'], table, {
        ...command,
        unsupported: { learningRate: 'nothing is learned' },
      }),
  );
});

test('two spellings of one key, and a section turned off beside its key: LMFLOW_FLAG_INVALID', async () => {
  await refuses('LMFLOW_FLAG_INVALID', /--learning-rate is the same as --lr/, () =>
    readFlags(['--lr', '1', '--learning-rate', '2'], table, command),
  );
  await refuses('LMFLOW_FLAG_INVALID', /--lora-lora-alpha is the same as --lora-alpha/, () =>
    readFlags(['--lora-alpha', '1', '--lora-lora-alpha', '2'], table, command),
  );
  assert.equal(values('--learning-rate', '1', '--learning_rate=2', '--packing', '--no-packing'), {
    learningRate: 2,
    packing: false,
  });
  await refuses('LMFLOW_FLAG_INVALID', /--lora-r sets a part of what --no-lora turns off/, () =>
    readFlags(['--no-lora', '--lora-r', '4'], table, command),
  );
  await refuses('LMFLOW_FLAG_INVALID', /--lora-r sets lora\.r, which --lora sets too/, () =>
    readFlags(['--lora', '{"r": 8}', '--lora-r', '4'], table, command),
  );
  await refuses('LMFLOW_FLAG_INVALID', /--lora sets lora\.r, which --lora-r sets too/, () =>
    readFlags(['--lora-r', '4', '--lora', '{"r": 8}'], table, command),
  );
});

test('origins are the flags as typed', () => {
  assert.is(
    readFlags(['--learning_rate=1'], table, command).settings.get('learningRate')?.origin,
    '--learning_rate',
  );
});

test('an argument where none is taken: LMFLOW_ARGUMENT_UNEXPECTED', async () => {
  await refuses('LMFLOW_ARGUMENT_UNEXPECTED', /Did you mean --model x/, () =>
    readFlags(['model=x'], table, command),
  );
});

test('suggestions name flags', async () => {
  await refuses('LMFLOW_FLAG_UNKNOWN', /--dry-run\?/, () =>
    readFlags(['--dry-rum'], table, command),
  );
  await refuses('LMFLOW_FLAG_UNKNOWN', /--lora-r\?/, () => readFlags(['--r', '4'], table, command));
  for (const flag of ['--learningrate', '--l-o-r-a-r', '--lorar']) {
    await refuses('LMFLOW_FLAG_UNKNOWN', new RegExp(flag), () =>
      readFlags([flag, '4'], table, command),
    );
  }
});

test('a flag of a plugin that is installed, but not loaded', async () => {
  for (const [flag, name] of [
    ['--qlora-bits', 'qlora'],
    ['--position-interpolation-factor', 'position-interpolation'],
    ['--no-flash-attention', 'flash-attention'],
  ] as const) {
    await refuses(
      'LMFLOW_FLAG_UNKNOWN',
      new RegExp(`Load the installed plugin "${name}" with --plugin ${name}`),
      () => readFlags([flag], table, command),
    );
  }
  await refuses('LMFLOW_FLAG_UNKNOWN', /--lora-r\?/, () =>
    readFlags(['--lora-rr', '4'], table, command),
  );
  await refuses('LMFLOW_FLAG_UNKNOWN', /See lmflow fit --help/, () =>
    readFlags(['--trainer-zzzzzzzz', '4'], table, command),
  );
});

test.run();
