// What the whole file has decides how its records are read, and what a turn says decides whether it
// is trained.
import { parquetWriteBuffer } from 'hyparquet-writer';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  all,
  failure,
  file,
  keepingLog,
  load,
  masked,
  removeFolders,
  tinyTokenizer,
} from './kit.ts';

const TEMPLATE =
  '{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>{% endfor %}' +
  '{% if add_generation_prompt %}<s>assistant\n{% endif %}';

async function trained(dataset: unknown, config: Record<string, unknown> = {}): Promise<string[]> {
  const tokenizer = await tinyTokenizer({ chatTemplate: TEMPLATE });
  const { train } = await load({ dataset, ...config }, { tokenizer });
  return all(train).map((sample) => masked(sample, tokenizer));
}

const lines = (...records: unknown[]): string =>
  records.map((record) => JSON.stringify(record)).join('\n');
const pair = (question: string): string => `<s>user\n${question}</s><s>assistant\n[yes</s>]`;

test('an instruction that first appears in record 2 is not thrown away', async () => {
  const rows = [
    { input: 'one', output: 'yes' },
    { instruction: 'Say', input: 'two', output: 'yes' },
    { instruction: 'three', output: 'yes' },
  ];
  const column = (name: 'instruction' | 'input' | 'output'): object => ({
    name,
    type: 'STRING',
    data: rows.map((row) => (row as Record<string, string>)[name]),
  });
  const table = parquetWriteBuffer({
    columnData: [column('instruction'), column('input'), column('output')] as never,
  });
  const expected = [pair('one'), pair('Say\ntwo'), pair('three')];
  for (const dataset of [
    file('d.jsonl', lines(...rows)),
    file('d.json', rows),
    file('d.parquet', new Uint8Array(table)),
  ]) {
    assert.equal(await trained(dataset), expected);
  }
  const log = keepingLog();
  await load({ dataset: file('d.jsonl', lines(...rows)) }, { log });
  assert.ok(log.lines.some((line) => line.includes('d.jsonl: alpaca, 3 records')));
});

test('keys of later records that change the format are never left out in silence', async () => {
  const answered = { messages: [{ role: 'assistant', content: 'x' }] };
  const error = await failure(() =>
    trained(file('d.jsonl', lines({ text: 'a', id: 1 }, answered, { text: 'b' }))),
  );
  assert.is(error.code, 'LMFLOW_DATASET_RECORD');
  assert.match(error.message, /line 1: key 'messages'/);
});

test('only the records that are used decide: maxSamples, and the type that a file names', async () => {
  const rows = [
    { input: 'a', output: 'b' },
    { instruction: 'c', output: 'd' },
  ];
  const first = await load({ dataset: { path: file('d.jsonl', lines(...rows)), maxSamples: 1 } });
  assert.is((first.description['dataset'] as { format: string }[])[0]!.format, 'text2text');
  const wrapped = { type: 'text2text', instances: [rows[0], { ...rows[0], instruction: 'c' }] };
  const typed = await load({ dataset: file('d.json', wrapped) });
  assert.is((typed.description['dataset'] as { format: string }[])[0]!.format, 'text2text');
});

test('a column that a record lacks is absent there; one that no record has is an error', async () => {
  const rows = [
    { q: 'one', a: 'yes' },
    { q: 'two', a: 'yes', s: 'Be kind.' },
  ];
  const columns = { instruction: 'q', output: 'a', system: 's' };
  const dataset = { path: file('d.jsonl', lines(...rows)), format: 'alpaca', columns };
  assert.equal(await trained(dataset), [pair('one'), `<s>system\nBe kind.</s>${pair('two')}`]);
  const error = await failure(() =>
    trained({ ...dataset, columns: { ...columns, system: 'sys' } }),
  );
  assert.is(error.code, 'LMFLOW_DATASET_COLUMN');
  assert.match(error.message, /'sys'/);
});

const chat = (...answers: readonly object[]): string =>
  file('chat.jsonl', {
    messages: answers.flatMap((keys, index) => [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: `a${index}`, ...keys },
    ]),
  });

test('train: false and loss: false on a turn work like weight: 0', async () => {
  const [expected] = await trained(chat({ weight: 0 }, {}, { weight: 1 }));
  assert.is(
    expected,
    '<s>user\nq</s><s>assistant\na0</s><s>user\nq</s><s>assistant\n[a1</s>]' +
      '<s>user\nq</s><s>assistant\n[a2</s>]',
  );
  for (const key of ['train', 'loss']) {
    for (const [no, yes] of [
      [false, true],
      [0, 1],
    ]) {
      assert.equal(await trained(chat({ [key]: no }, {}, { [key]: yes })), [expected]);
    }
  }
  const agreed = { train: false, loss: false, weight: 0 };
  assert.equal(await trained(chat(agreed, { weight: null, train: null }, {})), [expected]);
  const shared = {
    conversations: [
      { from: 'human', value: 'q', train: false },
      { from: 'gpt', value: 'a0', train: false },
      { from: 'human', value: 'q', loss: false },
      { from: 'gpt', value: 'a1' },
      { from: 'human', value: 'q', weight: 0 },
      { from: 'gpt', value: 'a2', loss: true },
    ],
  };
  assert.equal(await trained(file('s.json', [shared])), [expected]);
});

test('turns that contradict themselves, or ask for what is never trained, are errors', async () => {
  const wrong: readonly (readonly [keys: object, key: string])[] = [
    [{ train: 'no' }, 'train'],
    [{ loss: 0.5 }, 'loss'],
    [{ weight: 1, train: false }, 'train'],
    [{ weight: 0, loss: true }, 'loss'],
    [{ train: true, loss: false }, 'loss'],
  ];
  for (const [keys, key] of wrong) {
    const error = await failure(() => trained(chat(keys)));
    assert.is(error.code, 'LMFLOW_DATASET_RECORD');
    assert.ok(error.message.includes(`'messages[1].${key}'`), error.message);
  }
  const asked = { role: 'user', content: 'q', train: true };
  const answer = { role: 'assistant', content: 'a' };
  const error = await failure(() => trained(file('d.json', [{ messages: [asked, answer] }])));
  assert.match(error.message, /'messages\[0\]\.train' must be false or absent on a turn of user/);
});

test.after(removeFolders);
test.run();
