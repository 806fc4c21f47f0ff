// A format and a reader of another plugin, which has nothing but @lmflow/sdk: detected, read, and
// named in errors.
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import chatTemplates from '@lmflow/plugin-chat-templates';
import {
  DATASET_FORMATS,
  DATASET_READERS,
  definePlugin,
  isLMFlowError,
  type Config,
  type DatasetFormat,
  type DatasetReader,
  type DatasetRecord,
  type LMFlowError,
} from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';
import datasets, { DATASETS } from '../src/index.ts';
import { file, folder, removeFolders } from './kit.ts';

/** Questions with a list of answers; the first is the one to learn. A special case of text2text. */
const quiz: DatasetFormat = {
  name: 'quiz',
  aliases: ['trivia'],
  kind: 'conversation',
  example: '{ input, output, quiz: { level, turns } }',
  matches: (fields) => 'input' in fields && 'quiz' in fields,
  parse(fields) {
    const facts = fields.object('quiz', 'an object { level, turns }');
    const level = facts.optionalNumber('level') ?? 1;
    if (level > 3) facts.fail('level', 'a number up to 3');
    if (level < 0) throw new RangeError('levels begin at 0');
    return { kind: 'conversation', messages: facts.messages('turns') };
  },
};

/** Lines `question = answer`. */
const pairs: DatasetReader = {
  name: 'pairs',
  extensions: ['.qa'],
  gzip: true,
  async *open(source) {
    for await (const [line, number] of source.lines()) {
      const [input, output] = line.split(' = ');
      if (input === 'crash') throw new Error('crashed');
      if (output === undefined) source.fail({ line: number }, 'has no " = "');
      yield { value: { input, output }, origin: { file: source.name, line: number } };
    }
  },
};

const plugin = definePlugin({
  name: 'lmflow-plugin-quiz',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply(context) {
    context.contribute(DATASET_FORMATS, quiz);
    context.contribute(DATASET_READERS, pairs);
  },
});

/** The records of a data set, with the plugin before or behind plugin datasets. */
async function read(
  dataset: Config['dataset'],
): Promise<{ format: string; records: DatasetRecord[] }> {
  const { kernel } = await createTestKernel({
    plugins: [plugin(), chatTemplates(), datasets()],
    config: { dataset, datasetCacheDir: folder() },
  });
  try {
    const { train, opened } = await kernel.resolve(DATASETS).open();
    const records: DatasetRecord[] = [];
    for await (const record of train.records()) records.push(record);
    return { format: opened.train.sources[0]!.format, records };
  } finally {
    await kernel.close();
  }
}

async function fails(dataset: Config['dataset']): Promise<LMFlowError> {
  try {
    await read(dataset);
  } catch (error) {
    if (isLMFlowError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const record = (level: number): object => ({
  input: 'hi',
  output: 'yes',
  quiz: { level, turns: [{ from: 'human', value: 'hi' }, { from: 'gpt', value: 'yes' }] }, // prettier-ignore
});

test('a special case of a general format is detected, wherever its plugin stands in the list', async () => {
  const { format, records } = await read(file('a.json', [record(1)]));
  assert.is(format, 'quiz');
  assert.equal(records, [
    {
      kind: 'conversation',
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: 'yes' },
      ],
      origin: { file: 'a.json', index: 0, line: 1 },
    },
  ]);
  const other = await read(file('b.json', [{ input: 'hi', output: 'yes' }]));
  assert.is(other.format, 'text2text');
});

test('it has a name and aliases, in settings and in LMFlow files', async () => {
  const path = file('a.json', { type: 'trivia', instances: [record(1)] });
  assert.is((await read(path)).format, 'quiz');
  assert.is((await read({ path, format: 'trivia' })).format, 'quiz');
  const error = await fails({ path, format: 'quizz' });
  assert.is(error.hint, "Did you mean 'quiz'?");
});

test('its errors name file, record and key; what it throws by itself names file and record', async () => {
  const wrong = await fails(file('a.json', [record(1), record(4)]));
  assert.is(wrong.code, 'LMFLOW_DATASET_RECORD');
  assert.match(wrong.message, /a\.json, record 1 .*'quiz\.level' must be a number up to 3.*quiz\)/);
  const crash = await fails(file('a.json', [record(1), record(-1)]));
  assert.is(crash.code, 'LMFLOW_DATASET_RECORD');
  assert.match(crash.message, /a\.json, record 1 .*the format quiz .*levels begin at 0/);
});

test('a reader of another ending, also zipped; its errors name file and line', async () => {
  const text = 'one = two\nthree = four\n';
  for (const path of [file('a.qa', text), file('a.qa.gz', gzipSync(text))]) {
    const { format, records } = await read(path);
    assert.is(format, 'text2text');
    assert.is(records.length, 2);
    assert.is((records[1] as { prompt: string }).prompt, 'three');
    assert.is(records[1]!.origin.line, 2);
  }
  const syntax = await fails(file('a.qa', `${text}five\n`));
  assert.is(syntax.code, 'LMFLOW_DATASET_SYNTAX');
  assert.match(syntax.message, /a\.qa, line 3: has no/);
  const crash = await fails(file('a.qa', `${text}crash = x\n`));
  assert.is(crash.code, 'LMFLOW_DATASET_UNREADABLE');
  assert.match(crash.message, /a\.qa could not be read: crashed/);
});

test('a folder of such files is a data set, and unknown endings are told with theirs', async () => {
  const path = folder();
  file('train.qa', 'one = two', path);
  file('test.qa', 'three = four', path);
  file('notes.md', 'x', path);
  assert.equal(
    (await read(path)).records.map((entry) => (entry as { prompt: string }).prompt),
    ['one'],
  );
  assert.match((await fails(file('a.pkl', 'x'))).message, /\.json.*\.qa/);
});

test.after(removeFolders);
test.run();
