// Every file type and record format: detected, told, and read to the same records.
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DatasetRecord } from '@lmflow/sdk';
import { openDatasets } from '../src/sources/opened-datasets.ts';
import { optionsSchema } from '../src/options.ts';
import { JsonSplitter } from '../src/readers/splitter.ts';
import {
  all,
  file,
  folder,
  hasShared,
  keepingLog,
  load,
  hubWith,
  masked,
  removeFolders,
  shared,
  tables,
  tinyTokenizer,
} from './kit.ts';

/** The records of a setting without their origins, and the format that was told. */
async function read(
  dataset: unknown,
  config: Record<string, unknown> = {},
): Promise<{ format: string; records: unknown[] }> {
  const { train } = await openDatasets(
    { dataset, evalDataset: undefined },
    {
      ...tables,
      options: optionsSchema.parse(config),
      seed: 1,
      log: keepingLog(),
      hub: hubWith(keepingLog()),
    },
  );
  const records: unknown[] = [];
  for await (const { origin: _, ...record } of train.records()) records.push(record);
  return { format: train.sources[0]!.format, records };
}

const chat = (...turns: readonly (readonly [string, string])[]): unknown => ({
  kind: 'conversation',
  messages: turns.map(([role, content]) => ({ role, content })),
});
const hello = chat(['user', 'hi'], ['assistant', 'yes']);
const preference = {
  kind: 'preference',
  messages: [{ role: 'user', content: 'hi' }],
  chosen: 'yes',
  rejected: 'no',
};
const plainPair = { kind: 'preference', prompt: 'hi', chosen: 'yes', rejected: 'no' };
const messages = [
  { role: 'user', content: 'hi' },
  { role: 'assistant', content: 'yes' },
];
const declined = [messages[0], { role: 'assistant', content: 'no' }];

const FORMATS: Record<string, readonly [record: unknown, format: string, expected: unknown]> = {
  'LMFlow text_only': [
    { type: 'text_only', instances: [{ text: 'a' }] },
    'text_only',
    { kind: 'text', text: 'a' },
  ],
  'LMFlow text2text': [
    { type: 'text2text', instances: [{ input: 'a', output: 'b' }] },
    'text2text',
    { kind: 'completion', prompt: 'a', completion: 'b' },
  ],
  'LMFlow conversation': [
    {
      type: 'conversation',
      instances: [{ conversation_id: 1, system: 'S', tools: ['{"name":"t"}'], messages }],
    },
    'conversation',
    {
      ...(chat(['system', 'S'], ['user', 'hi'], ['assistant', 'yes']) as object),
      tools: [{ name: 't' }],
    },
  ],
  'LMFlow paired_conversation': [
    {
      type: 'paired_conversation',
      instances: [
        {
          chosen: { messages },
          rejected: { messages: [messages[0], { role: 'assistant', content: 'no' }] },
        },
      ],
    },
    'paired_conversation',
    preference,
  ],
  'LMFlow paired_text_to_text': [
    {
      type: 'paired_text_to_text',
      instances: [{ prompt: 'hi', chosen: 'yes', rejected: 'no', margin: 2 }],
    },
    'preference',
    { ...plainPair, margin: 2 },
  ],
  'LMFlow text_to_scored_textlist': [
    {
      type: 'text_to_scored_textlist',
      instances: [
        {
          input: 'hi',
          output: [
            { score: 1, text: 'no' },
            { score: 3, text: 'yes' },
            { score: 2, text: 'so' },
          ],
        },
      ],
    },
    'text_to_scored_textlist',
    {
      ...plainPair,
      scored: [
        { text: 'no', score: 1 },
        { text: 'yes', score: 3 },
        { text: 'so', score: 2 },
      ],
    },
  ],
  'scored answers to messages': [
    [
      {
        input: [messages[0]],
        output: [
          { score: 1, text: 'no' },
          { score: 3, text: 'yes' },
        ],
      },
    ],
    'text_to_scored_textlist',
    {
      ...preference,
      scored: [
        { text: 'no', score: 1 },
        { text: 'yes', score: 3 },
      ],
    },
  ],
  'hh_rlhf of LMFlow': [
    [{ positive: '###Human: hi###Assistant: yes', negative: '###Human: hi###Assistant: no' }],
    'positive_negative',
    {
      kind: 'preference',
      prompt: '###Human: hi###Assistant:',
      chosen: ' yes',
      rejected: ' no',
    },
  ],
  'two whole texts': [
    [{ chosen: 'Q: hi A: yes', rejected: 'Q: hi A: yellow' }],
    'preference',
    { kind: 'preference', prompt: 'Q: hi A: ye', chosen: 's', rejected: 'llow' },
  ],
  'two texts of which one begins the other': [
    [{ chosen: 'hi yes', rejected: 'hi' }],
    'preference',
    { kind: 'preference', prompt: 'h', chosen: 'i yes', rejected: 'i' },
  ],
  'two texts that part inside a character': [
    [{ chosen: 'hi \u{1f600}', rejected: 'hi \u{1f601}' }],
    'preference',
    { kind: 'preference', prompt: 'hi ', chosen: '\u{1f600}', rejected: '\u{1f601}' },
  ],
  'preference of a text and conversations': [
    [{ prompt: 'hi', chosen: messages, rejected: declined }],
    'preference',
    preference,
  ],
  'preference of a text and messages': [
    [{ prompt: 'hi', chosen: [messages[1]], rejected: [declined[1]] }],
    'preference',
    preference,
  ],
  'preference of messages and messages': [
    [{ prompt: [messages[0]], chosen: [messages[1]], rejected: [declined[1]], margin: '0.5' }],
    'preference',
    { ...preference, margin: 0.5 },
  ],
  'preference of messages and whole conversations': [
    [{ prompt: [messages[0]], chosen: messages, rejected: declined }],
    'preference',
    preference,
  ],
  'prompt, completion and label': [
    [{ prompt: 'a', completion: 'b', label: false }],
    'unpaired_preference',
    { kind: 'unpaired', prompt: 'a', completion: 'b', desirable: false },
  ],
  'messages, completion and label': [
    [{ prompt: [messages[0]], completion: [messages[1]], label: true }],
    'unpaired_preference',
    { kind: 'unpaired', messages: [messages[0]], completion: 'yes', desirable: true },
  ],
  'a conversation and a label': [
    [{ messages, kto_tag: false }],
    'unpaired_preference',
    { kind: 'unpaired', messages: [messages[0]], completion: 'yes', desirable: false },
  ],
  alpaca: [[{ instruction: 'hi', input: '', output: 'yes' }], 'alpaca', hello],
  'alpaca with input': [
    [{ instruction: 'do', input: 'it', output: 'yes' }],
    'alpaca',
    {
      kind: 'conversation',
      messages: [
        { role: 'user', content: 'do\nit', instruction: 'do', input: 'it' },
        { role: 'assistant', content: 'yes' },
      ],
    },
  ],
  'alpaca with history and nulls': [
    [{ instruction: 'hi', input: null, output: 'yes', system: 'S', history: [['q', 'a']] }],
    'alpaca',
    chat(['system', 'S'], ['user', 'q'], ['assistant', 'a'], ['user', 'hi'], ['assistant', 'yes']),
  ],
  sharegpt: [
    [
      {
        id: 'x',
        conversations: [
          { from: 'human', value: 'hi' },
          { from: 'gpt', value: 'yes' },
        ],
      },
    ],
    'sharegpt',
    hello,
  ],
  'sharegpt with role and content': [[{ conversations: messages }], 'sharegpt', hello],
  'openai messages': [[{ messages }], 'conversation', hello],
  'openai with a developer and text parts': [
    [
      {
        messages: [
          { role: 'developer', content: 'S' },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'h' },
              { type: 'text', text: 'i' },
            ],
          },
          messages[1],
        ],
      },
    ],
    'conversation',
    chat(['system', 'S'], ['user', 'hi'], ['assistant', 'yes']),
  ],
  'prompt and completion': [
    [{ prompt: 'a', completion: 'b' }],
    'prompt_completion',
    { kind: 'completion', prompt: 'a', completion: 'b' },
  ],
  'prompt and completion of messages': [
    [{ prompt: [messages[0]], completion: [messages[1]] }],
    'prompt_completion',
    hello,
  ],
  'input and output': [
    [{ input: 'a', output: 'b' }],
    'text2text',
    { kind: 'completion', prompt: 'a', completion: 'b' },
  ],
  'preference of messages': [
    [{ chosen: messages, rejected: [messages[0], { role: 'assistant', content: 'no' }] }],
    'preference',
    preference,
  ],
  'preference of alpaca': [
    [{ instruction: 'hi', chosen: 'yes', rejected: 'no' }],
    'alpaca_preference',
    preference,
  ],
  'preference of sharegpt': [
    [
      {
        conversations: [{ from: 'human', value: 'hi' }],
        chosen: { from: 'gpt', value: 'yes' },
        rejected: { from: 'gpt', value: 'no' },
      },
    ],
    'sharegpt_preference',
    preference,
  ],
};

for (const [name, [content, format, expected]] of Object.entries(FORMATS)) {
  test(`${name} is ${format}`, async () => {
    assert.equal(await read(file('a.json', content)), { format, records: [expected] });
  });
}

const rows = [
  { instruction: 'hi', input: '', output: 'yes' },
  { instruction: 'a "b"\n,c', input: '', output: 'd' },
];
const csv = (rows_: readonly Record<string, string>[], delimiter: string): string =>
  [Object.keys(rows_[0]!), ...rows_.map((row) => Object.values(row))]
    .map((cells) => cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(delimiter))
    .join('\n');
const parquet = (): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: ['instruction', 'input', 'output'].map((key) => ({
        name: key,
        data: rows.map((row) => row[key as 'input']),
        type: 'STRING' as const,
      })),
      rowGroupSize: 1,
    }),
  );

const FILES: Record<string, unknown> = {
  'a.json': rows,
  'indented.json': JSON.stringify(rows, null, 4),
  'objects.json': rows.map((row) => JSON.stringify(row)).join('\n'),
  'pretty-objects.json': rows.map((row) => JSON.stringify(row, null, 2)).join('\n'),
  'data.json': { version: 1, data: rows },
  'bom.json': `\ufeff${JSON.stringify(rows)}`,
  'a.jsonl': rows.map((row) => JSON.stringify(row)).join('\n'),
  'crlf.jsonl': `${rows.map((row) => JSON.stringify(row)).join('\r\n\r\n')}\r\n`,
  'a.ndjson': rows.map((row) => JSON.stringify(row)).join('\n'),
  'a.csv': csv(rows, ','),
  'a.tsv': csv(rows, '\t'),
  'a.parquet': parquet(),
  'a.json.gz': gzipSync(JSON.stringify(rows)),
  'a.CSV.gz': gzipSync(csv(rows, ',')),
};

for (const [name, content] of Object.entries(FILES)) {
  test(`the file ${name}`, async () => {
    assert.equal(await read(file(name, content)), {
      format: 'alpaca',
      records: [hello, chat(['user', 'a "b"\n,c'], ['assistant', 'd'])],
    });
  });
}

test('messages in cells of CSV are read as JSON, and parquet lists as lists', async () => {
  assert.equal(
    (await read(file('a.csv', csv([{ messages: JSON.stringify(messages) }], ',')))).records,
    [hello],
  );
  const path = file(
    'a.parquet',
    new Uint8Array(
      parquetWriteBuffer({ columnData: [{ name: 'messages', data: [messages], type: 'JSON' }] }),
    ),
  );
  assert.equal((await read(path)).records, [hello]);
});

test('a folder is its files in order; hidden files, README and descriptions are not data; a split is chosen', async () => {
  const path = folder();
  file('b.jsonl', JSON.stringify({ text: 'two' }), path);
  file('a.jsonl', JSON.stringify({ text: 'one' }), path);
  file('README.md', 'x', path);
  file('.hidden.jsonl', 'x', path);
  file('dataset_info.json', {}, path);
  assert.equal((await read(path)).records, [
    { kind: 'text', text: 'one' },
    { kind: 'text', text: 'two' },
  ]);
  const splits = folder();
  for (const name of ['train-00001', 'train-00000', 'valid', 'test']) {
    file(`${name}.jsonl`, JSON.stringify({ text: name }), splits);
  }
  const texts = async (dataset: unknown): Promise<unknown[]> =>
    (await read(dataset)).records.map((record) => (record as { text: string }).text);
  assert.equal(await texts(splits), ['train-00000', 'train-00001']);
  assert.equal(await texts({ path: splits, split: 'validation' }), ['valid']);
  mkdirSync(join(path, 'more'));
  file('c.jsonl', JSON.stringify({ text: 'three' }), join(path, 'more'));
  assert.equal(await texts({ path, subset: 'more' }), ['three']);
  const { evaluation } = await openDatasets(
    { dataset: splits, evalDataset: splits },
    {
      ...tables,
      options: optionsSchema.parse({}),
      seed: 1,
      log: keepingLog(),
      hub: hubWith(keepingLog()),
    },
  );
  const first = await evaluation!.records()[Symbol.asyncIterator]().next();
  assert.is((first.value as { text: string }).text, 'valid');
  for (const name of ['dev', 'validation']) {
    file(`${name}.jsonl`, JSON.stringify({ text: name }), splits);
  }
  assert.equal(await texts({ path: splits, split: 'dev' }), ['dev']);
  assert.equal(await texts({ path: splits, split: 'validation' }), ['validation']);
});

test('columns, a text field and a format by name', async () => {
  const path = file('a.jsonl', JSON.stringify({ question: 'q', answer: 'a', body: 'text' }));
  assert.equal(
    (await read({ path, columns: { prompt: 'question', completion: 'answer' } })).records,
    [{ kind: 'completion', prompt: 'q', completion: 'a' }],
  );
  assert.equal(
    (await read({ path, format: 'alpaca', columns: { instruction: 'question', output: 'answer' } }))
      .records,
    [chat(['user', 'q'], ['assistant', 'a'])],
  );
  assert.equal((await read(path, { datasetTextField: 'body' })).records, [
    { kind: 'text', text: 'text' },
  ]);
  assert.equal(
    (
      await read(path, {
        datasetColumns: { input: 'question', output: 'answer' },
        datasetFormat: 'text2text',
      })
    ).records,
    [{ kind: 'completion', prompt: 'q', completion: 'a' }],
  );
});

test('a .txt is one document with one EOS, or a text a paragraph or line', async () => {
  const content = Array.from(
    { length: 400 },
    (_, index) => `Paragraph ${index} has a few words.\nAnd a second line.`,
  ).join('\n\n');
  const path = file('a.txt', content);
  const whole = (await read(path)).records as { text: string; part?: string }[];
  assert.ok(whole.length > 3);
  assert.is(whole.map(({ text }) => text).join(''), content);
  assert.equal([whole[0]!.part, whole[1]!.part, whole.at(-1)!.part], ['first', 'middle', 'last']);
  assert.is((await read({ path, sampleBy: 'paragraph' })).records.length, 400);
  assert.is((await read({ path, sampleBy: 'line' })).records.length, 800);
  const tokenizer = await tinyTokenizer({ bos: true });
  const { train } = await load({ dataset: path, blockSize: 128 }, { tokenizer });
  const ids = all(train).flatMap(({ inputIds }) => [...inputIds]);
  assert.is(ids.filter((id) => id === tokenizer.bosId).length, 1);
  assert.is(ids.filter((id) => id === tokenizer.eosId).length, 1);
  assert.is(tokenizer.decode(ids), `<s>${content}</s>`);
  assert.is(masked(train.get(0), tokenizer).slice(0, 17), '<s>[Paragraph 0 h');
});

test('the splitter gives the same pieces wherever the text is cut', () => {
  const values = [{ a: 'x]}"\\', b: [1, { c: '\\"' }] }, { text: 'ü\n' }, {}];
  const text = JSON.stringify(
    { type: 't', note: ['[', { instances: 1 }], instances: values },
    null,
    1,
  );
  for (let size = 1; size < 20; size++) {
    const splitter = new JsonSplitter('f');
    const pieces = [];
    for (let at = 0; at < text.length; at += size) {
      pieces.push(...splitter.push(text.slice(at, at + size)));
    }
    pieces.push(...splitter.end());
    assert.equal(
      pieces.map((piece) => JSON.parse(piece.text) as unknown),
      values,
    );
    assert.is(splitter.members['type'], 't');
    assert.is(text.split('\n')[pieces[1]!.line - 1]!.trim(), '{');
  }
});

test('a file of 50 MB streams through in bounded memory', async () => {
  const path = join(folder(), 'big.json');
  const out = createWriteStream(path);
  const record = JSON.stringify({ text: 'word '.repeat(200) });
  out.write('[');
  for (let index = 0; index < 50_000; index++) {
    if (!out.write(index === 0 ? record : `,\n${record}`)) await once(out, 'drain');
  }
  out.end(']');
  await once(out, 'close');
  const { train } = await openDatasets(
    { dataset: path, evalDataset: undefined },
    {
      ...tables,
      options: optionsSchema.parse({}),
      seed: 1,
      log: keepingLog(),
      hub: hubWith(keepingLog()),
    },
  );
  const before = process.memoryUsage().rss;
  let highest = before;
  let count = 0;
  for await (const record_ of train.records() as AsyncIterable<DatasetRecord & { text: string }>) {
    if (count++ % 1000 === 0) highest = Math.max(highest, process.memoryUsage().rss);
    if (record_.text.length !== 1000) throw new Error('a record is not whole');
  }
  assert.is(count, 50_000);
  assert.ok(highest - before < 150e6, `memory grew by ${((highest - before) / 1e6).toFixed(0)} MB`);
});

test('a large CSV file is read to its end, or as far as it is wanted, without a warning', async () => {
  const warnings: Error[] = [];
  const keep = (warning: Error): void => {
    warnings.push(warning);
  };
  process.on('warning', keep);
  const path = file('large.csv', `text\n${`${'x'.repeat(99)}\n`.repeat(60_000)}`);
  assert.is((await read(path)).records.length, 60_000);
  assert.is((await read({ path, maxSamples: 3 })).records.length, 3);
  await new Promise(setImmediate); // warnings come late
  process.off('warning', keep);
  assert.equal(warnings, []);
});

test('the shared data is what its README says', async () => {
  if (!hasShared()) return;
  const found = async (name: string): Promise<readonly [string, number]> => {
    const { format, records } = await read(join(shared, 'data', name));
    return [format, records.length];
  };
  assert.equal(await found('alpaca_en_demo.json'), ['alpaca', 999]);
  assert.equal(await found('c4_demo.jsonl'), ['text_only', 300]);
  assert.equal(await found('dpo_en_demo.json'), ['sharegpt_preference', 300]);
  assert.is((await found('wiki_demo.txt'))[0], 'text_only');
});

test.after(removeFolders);
test.run();
