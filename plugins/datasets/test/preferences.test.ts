// Answers that are compared: pairs and judged answers as samples, with their masks, columns, counts,
// truncation and cache, and the errors of records that do not fit.
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sequencesOf, type Sample, type Samples, type Tokenizer } from '@lmflow/sdk';
import {
  failure,
  file,
  folder,
  hasShared,
  keepingLog,
  loaderOf,
  masked,
  removeFolders,
  shared,
  stories,
  tinyTokenizer,
} from './kit.ts';

test.after(removeFolders);

const CHAT =
  "{% for m in messages %}{{ '<' + m.role[0] + '>' + m.content + '</s>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<a>' }}{% endif %}";

interface Loaded {
  readonly train: Samples;
  readonly tokenizer: Tokenizer;
  readonly lines: readonly string[];
}

async function load(
  records: unknown,
  config: Record<string, unknown> = {},
  preferences: 'pairs' | 'unpaired' = 'pairs',
): Promise<Loaded> {
  const log = keepingLog();
  const tokenizer = await tinyTokenizer({ special: ['<u>', '<a>'], chatTemplate: CHAT });
  const dataset = typeof records === 'string' ? records : file('a.json', records);
  const loader = loaderOf({ dataset, ...config }, { log });
  const { train } = await loader.load({ tokenizer, maxPositions: 512, preferences });
  return { train, tokenizer, lines: log.lines };
}

const texts = ({ train, tokenizer }: Loaded): string[][] =>
  Array.from({ length: train.length }, (_, index) =>
    sequencesOf(train, index).map((sample) => masked(sample, tokenizer)),
  );

const messages = [
  { role: 'user', content: 'hi' },
  { role: 'assistant', content: 'yes' },
];

test('a pair is two sequences with one prompt; the last answer is what is compared', async () => {
  const earlier = [...messages, { role: 'user', content: 'and' }];
  const loaded = await load([
    {
      chosen: { messages: [...earlier, { role: 'assistant', content: 'good' }] },
      rejected: { messages: [...earlier, { role: 'assistant', content: 'bad' }] },
    },
  ]);
  const prompt = '<u>hi</s><a>yes</s><u>and</s><a>';
  assert.equal(texts(loaded), [[`${prompt}[good</s>]`, `${prompt}[bad</s>]`]]);
  const { group, statistics } = loaded.train;
  assert.is(group!.size, 2);
  assert.equal([statistics.samples, statistics.trainedTokens], [1, 5 + 4]);
  const [chosen, rejected] = group!.get(0) as [Sample, Sample];
  assert.is(chosen.columns, undefined, 'no margin, no column');
  const joined = loaded.train.get(0);
  assert.equal(
    joined.parts!.map(({ place }) => place),
    [
      { sample: 0, member: 0 },
      { sample: 0, member: 1 },
    ],
  );
  assert.is(joined.inputIds.length, chosen.inputIds.length + rejected.inputIds.length);
  assert.is(loaded.train.lengthOf(0), chosen.inputIds.length);
});

test('texts are put together as they are, with EOS and without the template', async () => {
  const loaded = await load([{ prompt: 'Q:', chosen: 'yes', rejected: 'no' }]);
  assert.equal(texts(loaded), [['Q:[yes</s>]', 'Q:[no</s>]']]);
});

test('margins are a column of both sides, 0 where a record has none', async () => {
  const pair = { prompt: 'Q:', chosen: 'yes', rejected: 'no' };
  const { train } = await load([
    { ...pair, margin: 1.5 },
    { ...pair, prompt: 'P:' },
  ]);
  const columns = [0, 1].map((index) => sequencesOf(train, index).map((side) => side.columns));
  assert.equal(columns, [
    [{ margin: 1.5 }, { margin: 1.5 }],
    [{ margin: 0 }, { margin: 0 }],
  ]);
});

test('judged answers are samples with a column, and a pair is two of them', async () => {
  const judged = await load(
    [
      { messages, label: true },
      { messages: [messages[0], { role: 'assistant', content: 'no' }], label: false },
    ],
    {},
    'unpaired',
  );
  assert.equal(texts(judged), [['<u>hi</s><a>[yes</s>]'], ['<u>hi</s><a>[no</s>]']]);
  assert.equal(
    [0, 1].map((index) => judged.train.get(index).columns),
    [{ desirable: 1 }, { desirable: 0 }],
  );
  const pairs = await load([{ prompt: 'Q:', chosen: 'yes', rejected: 'no' }], {}, 'unpaired');
  assert.equal(texts(pairs), [['Q:[yes</s>]'], ['Q:[no</s>]']]);
  assert.equal(
    [0, 1].map((index) => pairs.train.get(index).columns),
    [{ desirable: 1 }, { desirable: 0 }],
  );
});

const long = { prompt: 'abcdefgh', chosen: 'xyz', rejected: 'x' };
const short = { prompt: 'Q:', chosen: 'yes', rejected: 'no' };

test('a pair is cut on both sides or left out, and counted', async () => {
  const left = await load([long, short], { blockSize: 8, truncation: 'left' });
  assert.equal(texts(left), [
    ['efgh[xyz</s>]', 'efgh[x</s>]'],
    ['Q:[yes</s>]', 'Q:[no</s>]'],
  ]);
  assert.is(left.train.statistics.truncated, 1);
  assert.match(left.lines.join('\n'), /truncated: 1\n/);

  const right = await load([long, short], { blockSize: 9, truncation: 'right' });
  assert.equal(texts(right), [['Q:[yes</s>]', 'Q:[no</s>]']], 'cut answers became equal');
  assert.match(right.lines.join('\n'), /dropped: 1 with equal answers/);

  const tight = await load([long, short], { blockSize: 8 });
  assert.match(tight.lines.join('\n'), /dropped: 1 without a trained token/);

  const dropped = await load([long, short], { blockSize: 10, truncation: 'drop' });
  assert.is(dropped.train.length, 1);
  assert.match(dropped.lines.join('\n'), /groups of 2: 1\n[^]*dropped: 1 longer than blockSize/);
});

test('pairs without a better side are left out and counted', async () => {
  const list = (...scores: number[]): unknown => ({
    input: 'Q:',
    output: scores.map((score, index) => ({ text: `a${index}`, score })),
  });
  const { train, lines } = await load([list(1, 1), list(1, 2, 1)]);
  assert.is(train.length, 1);
  assert.match(lines.join('\n'), /dropped: 1 with equal scores/);
});

test('the first pair is shown whole, and the cache gives the same samples', async () => {
  const datasetCacheDir = folder();
  const data = file('a.json', [{ ...short, margin: 2 }]);
  const made = await load(data, { datasetCacheDir });
  assert.match(made.lines.join('\n'), /first group[^]*Q:⟦yes<\/s>⟧\n---\nQ:⟦no<\/s>⟧/);
  const again = await load(data, { datasetCacheDir });
  assert.match(again.lines.join('\n'), /tokens from the cache/);
  assert.equal(texts(again), texts(made));
  assert.equal(again.train.get(0).parts, made.train.get(0).parts);
  const judged = await load(data, { datasetCacheDir }, 'unpaired');
  assert.is(judged.train.length, 2, 'samples of another shape have a key of their own');
});

test('what the template leaves out is told, as for other samples', async () => {
  const pair = {
    prompt: [messages[0]],
    tools: [{ name: 'look' }],
    chosen: [messages[1]],
    rejected: [{ role: 'assistant', content: 'no' }],
  };
  const { lines } = await load([pair]);
  assert.match(lines.join('\n'), /warning: the chat template leaves out tools .* in 2 of 2/);
});

interface Refusal {
  readonly records: unknown;
  readonly config?: Record<string, unknown>;
  readonly preferences?: 'pairs' | 'unpaired';
  readonly code: string;
  readonly says: readonly string[];
}

const reject = { role: 'assistant', content: 'no' };
const refusals: Readonly<Record<string, Refusal>> = {
  'answers to learn': {
    records: [{ messages }],
    code: 'NOT_PAIRED',
    says: ['a.json', 'conversation', 'pairs'],
  },
  'judged answers where pairs are needed': {
    records: [{ messages, label: true }],
    code: 'NOT_PAIRED',
    says: ['a.json', 'unpaired'],
  },
  'conversations that part before the last answer': {
    records: [
      { chosen: messages, rejected: [messages[0], reject] },
      { chosen: messages, rejected: [{ role: 'user', content: 'ho' }, reject] },
    ],
    code: 'RECORD',
    says: ['record 1', "'rejected'", 'the same conversation as chosen'],
  },
  'a conversation that ends with a question': {
    records: [{ chosen: [...messages, messages[0]], rejected: [...messages, messages[0]] }],
    code: 'RECORD',
    says: ['record 0', "'chosen'", 'ends with an answer'],
  },
  'one scored answer': {
    records: [{ input: 'Q:', output: [{ text: 'a', score: 1 }] }],
    code: 'RECORD',
    says: ['record 0', "'output'", 'at least two'],
  },
  'a score that is no number': {
    records: [
      {
        input: 'Q:',
        output: [
          { text: 'a', score: 'good' },
          { text: 'b', score: 1 },
        ],
      },
    ],
    code: 'RECORD',
    says: ['record 0', "'output[0].score'", 'a number'],
  },
  'a rejected answer that is missing': {
    records: [short, { prompt: 'Q:', chosen: 'yes', rejected: null }],
    code: 'RECORD',
    says: ['record 1', "'rejected'"],
  },
  'a margin that is no number': {
    records: [{ ...short, margin: 'much' }],
    code: 'RECORD',
    says: ['record 0', "'margin'", 'a number'],
  },
  'a label that says nothing': {
    records: [
      { messages, label: true },
      { messages, label: 'good' },
    ],
    preferences: 'unpaired',
    code: 'RECORD',
    says: ['record 1', "'label'", 'true (a good answer) or false'],
  },
  packing: {
    records: [short],
    config: { packing: true },
    code: 'SETTING',
    says: ['packing', 'paddingFree'],
  },
  groupTexts: {
    records: [short],
    config: { groupTexts: true },
    code: 'SETTING',
    says: ['groupTexts'],
  },
  trainOnPrompt: {
    records: [short],
    config: { trainOnPrompt: true },
    code: 'SETTING',
    says: ['trainOnPrompt'],
  },
  'nothing that is left': {
    records: [long],
    config: { blockSize: 4, truncation: 'drop' },
    code: 'NO_TRAINED_TOKENS',
    says: ['1 longer than blockSize'],
  },
};

for (const [name, { records, config, preferences, code, says }] of Object.entries(refusals)) {
  test(`refuses ${name}`, async () => {
    const error = await failure(() => load(records, config, preferences));
    assert.is(error.code, `LMFLOW_DATASET_${code}`);
    for (const part of says) assert.ok(error.message.includes(part), `${error.message} | ${part}`);
  });
}

test('dpo_en_demo: 300 pairs, of which those that do not fit are counted', async () => {
  if (!hasShared()) return;
  const log = keepingLog();
  const loader = loaderOf(
    { dataset: join(shared, 'data/dpo_en_demo.json'), truncation: 'drop', blockSize: 512 },
    { log },
  );
  const { train } = await loader.load({
    tokenizer: await stories(),
    maxPositions: 512,
    preferences: 'pairs',
  });
  assert.is(train.length + train.statistics.dropped, 300);
  assert.ok(train.length > 0);
  for (let index = 0; index < train.length; index++) assert.ok(train.lengthOf(index) <= 512);
});

test.run();
