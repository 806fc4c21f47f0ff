// Malformed datasets and settings: one clear error each, with its code, naming file, line or index,
// key, and the way out.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { failure, file, folder, load, removeFolders } from './kit.ts';

interface Case {
  /** File name and content, or what makes the dataset setting. */
  readonly data?: readonly [name: string, content: unknown];
  readonly dataset?: () => unknown;
  readonly config?: Record<string, unknown>;
  readonly code: string;
  /** All of them are in the message or its hint. */
  readonly says: readonly string[];
}

const lines = (...records: readonly unknown[]): string =>
  records
    .map((record) => (typeof record === 'string' ? record : JSON.stringify(record)))
    .join('\n');
const good = { instruction: 'a', output: 'b' };
const folderOf = (files: Record<string, unknown>): string => {
  const path = folder();
  for (const [name, content] of Object.entries(files)) file(name, content, path);
  return path;
};

const cases: Record<string, Case> = {
  'no dataset': { dataset: () => undefined, code: 'MISSING', says: ['--dataset'] },
  'a path that does not exist': {
    dataset: () => join(file('train.json', [good]), '..', 'trian.json'),
    code: 'NOT_FOUND',
    says: ['trian.json', 'Did you mean', 'train.json'],
  },
  'an empty list of datasets': {
    dataset: () => [],
    code: 'SETTING',
    says: ['dataset', 'empty list'],
  },
  'a dataset that is a number': { dataset: () => [7], code: 'SETTING', says: ['dataset[0]', '7'] },
  'an entry with a misspelt key': {
    dataset: () => ({ path: 'x.json', wieght: 2 }),
    code: 'SETTING',
    says: ["'wieght'", "Did you mean 'weight'"],
  },
  'an entry with a negative weight': {
    dataset: () => [{ path: 'x.json', weight: -1 }],
    code: 'SETTING',
    says: ['dataset[0].weight'],
  },
  'an entry without a path': { dataset: () => ({ weight: 1 }), code: 'SETTING', says: ["'path'"] },
  'an unknown format': {
    data: ['a.json', [good]],
    config: { datasetFormat: 'alpacca' },
    code: 'SETTING',
    says: ["'alpacca'", "Did you mean 'alpaca'"],
  },
  'a file of an unknown type': {
    data: ['a.xlsx', 'x'],
    code: 'FILE_TYPE',
    says: ['a.xlsx', '.jsonl'],
  },
  'a pickle': { data: ['a.pkl', 'x'], code: 'FILE_TYPE', says: ['a.pkl'] },
  'an empty folder': {
    dataset: () => folder(),
    code: 'FOLDER_EMPTY',
    says: ['holds no data files'],
  },
  'a folder with folders only': {
    dataset: () => {
      const path = folder();
      mkdirSync(join(path, 'train'));
      return path;
    },
    code: 'FOLDER_EMPTY',
    says: ['train', 'Name one of them'],
  },
  'a folder of several types': {
    dataset: () => folderOf({ 'a.json': [good], 'b.csv': 'x' }),
    code: 'FOLDER_MIXED',
    says: ['a.json', 'b.csv'],
  },
  'a folder without the wanted split': {
    dataset: () => ({
      path: folderOf({ 'train.json': [good], 'test.json': [good] }),
      split: 'validation',
    }),
    code: 'SPLIT_UNKNOWN',
    says: ["'validation'", 'test, train'],
  },
  'an empty file': { data: ['a.json', ''], code: 'EMPTY', says: ['a.json'] },
  'an empty list': { data: ['a.json', []], code: 'EMPTY', says: ['a.json'] },
  'an LMFlow file without instances': {
    data: ['a.json', { type: 'text_only', instances: [] }],
    code: 'EMPTY',
    says: ['a.json'],
  },
  'an empty .txt': { data: ['a.txt', '  \n\n '], code: 'EMPTY', says: ['a.txt'] },
  'an empty .jsonl': { data: ['a.jsonl', '\n\n'], code: 'EMPTY', says: ['a.jsonl'] },
  'a .csv with a header only': {
    data: ['a.csv', 'instruction,output\n'],
    code: 'EMPTY',
    says: ['a.csv'],
  },
  'UTF-16': {
    data: ['a.json', Buffer.from('\ufeff[]', 'utf16le')],
    code: 'ENCODING',
    says: ['a.json', 'UTF-16', 'UTF-8'],
  },
  'not UTF-8': {
    data: ['a.txt', Buffer.from([0x61, 0xe9, 0x62])],
    code: 'ENCODING',
    says: ['a.txt', 'UTF-8'],
  },
  'a .gz that is none': { data: ['a.json.gz', 'x'], code: 'UNREADABLE', says: ['a.json.gz'] },
  'a broken .gz': {
    data: ['a.json.gz', gzipSync(JSON.stringify([good])).subarray(0, 20)],
    code: 'UNREADABLE',
    says: ['a.json.gz'],
  },
  'a .parquet that is none': {
    data: ['a.parquet', 'hello there, this is not parquet'],
    code: 'UNREADABLE',
    says: ['a.parquet'],
  },
  'a list that is cut off': {
    data: ['a.json', `[\n${JSON.stringify(good)},\n{"instruction": "x`],
    code: 'SYNTAX',
    says: ['a.json, line', 'cut off'],
  },
  'a list without its end': {
    data: ['a.json', `[${JSON.stringify(good)}`],
    code: 'SYNTAX',
    says: ["']'", 'cut off'],
  },
  'a comma too many': {
    data: ['a.json', `[${JSON.stringify(good)},]`],
    code: 'SYNTAX',
    says: ['comma'],
  },
  'a comma that is missing': {
    data: ['a.json', `[${JSON.stringify(good)}\n${JSON.stringify(good)}]`],
    code: 'SYNTAX',
    says: ['line 2', "','"],
  },
  'single quotes': {
    data: ['a.json', `[${JSON.stringify(good)},\n{'instruction': 'x'}]`],
    code: 'SYNTAX',
    says: ['record 1 (line 2)', 'JSON'],
  },
  'NaN in a record': {
    data: ['a.json', '[{"instruction": "x", "output": NaN}]'],
    code: 'SYNTAX',
    says: ['record 0 (line 1)'],
  },
  'text after the list': {
    data: ['a.json', `[${JSON.stringify(good)}] and more`],
    code: 'SYNTAX',
    says: ['the end of the file', 'and more'],
  },
  'HTML instead of JSON': {
    data: ['a.json', '<!DOCTYPE html><html></html>'],
    code: 'SYNTAX',
    says: ['line 1', '<!DOCTYPE'],
  },
  'a broken line': {
    data: ['a.jsonl', lines(good, '{"instruction": "x", ')],
    code: 'SYNTAX',
    says: ['a.jsonl, line 2'],
  },
  'a list in a .jsonl': {
    data: ['a.jsonl', '[\n{}\n]'],
    code: 'SYNTAX',
    says: ['Rename it to .json'],
  },
  'a .csv with an uneven row': {
    data: ['a.csv', 'instruction,output\na,b\nc\n'],
    code: 'SYNTAX',
    says: ['a.csv, line 3'],
  },
  'a .csv with an open quote': {
    data: ['a.csv', 'instruction,output\na,"b\n'],
    code: 'SYNTAX',
    says: ['a.csv'],
  },
  'an unknown LMFlow type': {
    data: ['a.json', { type: 'text_onyl', instances: [{ text: 'x' }] }],
    code: 'TYPE_UNKNOWN',
    says: ['text_onyl', "Did you mean 'text_only'"],
  },
  'a type that is no text': {
    data: ['a.json', { type: 3, instances: [{ text: 'x' }] }],
    code: 'TYPE_UNKNOWN',
    says: ['"type" is 3'],
  },
  'rewards instead of text': {
    data: ['a.json', { type: 'float_only', instances: [{ value: 1 }] }],
    code: 'TYPE_UNSUPPORTED',
    says: ['float_only', 'rewards'],
  },
  'a type that comes last and is another': {
    data: [
      'a.json',
      `{"instances": [{"text": "x"}, {"text": "${'x'.repeat(300_000)}"}], "type": "text2text"}`,
    ],
    code: 'TYPE_MISMATCH',
    says: ['text2text', 'text_only'],
  },
  'a folder of two LMFlow types': {
    dataset: () =>
      folderOf({
        'a.json': { type: 'text_only', instances: [{ text: 'x' }] },
        'b.json': { type: 'text2text', instances: [{ input: 'x', output: 'y' }] },
      }),
    code: 'TYPE_MISMATCH',
    says: ['b.json', 'text2text', 'text_only'],
  },
  'a .csv that is not UTF-8': {
    data: ['a.csv', Buffer.from('text\nna\xefve\n', 'latin1')],
    code: 'ENCODING',
    says: ['a.csv'],
  },
  'keys that no format has': {
    data: ['a.jsonl', lines({ question: 'q', answer: 'a' })],
    code: 'FORMAT_UNKNOWN',
    says: ['question, answer', 'alpaca', 'columns'],
  },
  'a record that is a string': {
    data: ['a.json', ['just text']],
    code: 'RECORD',
    says: ['record 0', '"just text"'],
  },
  'a record that is null': {
    data: ['a.jsonl', lines(good, 'null')],
    code: 'RECORD',
    says: ['line 2', 'null'],
  },
  'a key that is missing': {
    data: ['a.jsonl', lines(good, { instruction: 'x' })],
    code: 'RECORD',
    says: ['a.jsonl, line 2', "'output'", 'a string', 'nothing'],
  },
  'a value of the wrong type': {
    data: ['a.json', [good, good, { instruction: 'x', output: 5 }]],
    code: 'RECORD',
    says: ['record 2', "'output'", 'a string', '5'],
  },
  'text that is a list': {
    data: ['a.json', { type: 'text_only', instances: [{ text: ['x'] }] }],
    code: 'RECORD',
    says: ['record 0', "'text'", 'a list of 1'],
  },
  'an LMFlow conversation without messages': {
    data: ['a.json', { type: 'conversation', instances: [{ messages: [] }] }],
    code: 'RECORD',
    says: ["'messages'", 'at least one'],
  },
  'a message without content': {
    data: ['a.jsonl', lines({ messages: [{ role: 'user', content: 'x' }, { role: 'assistant' }] })],
    code: 'RECORD',
    says: ["'messages[1].content'", 'a string'],
  },
  'a message that is a string': {
    data: ['a.json', { type: 'conversation', instances: [{ messages: ['hi'] }] }],
    code: 'RECORD',
    says: ["'messages[0]'", 'an object'],
  },
  'an image in a message': {
    data: ['a.jsonl', lines({ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] })],
    code: 'MEDIA',
    says: ['a.jsonl, line 1', "'messages[0].content[0].type'", 'images'],
  },
  'an unknown role': {
    data: ['a.jsonl', lines({ messages: [{ role: 'asistant', content: 'x' }] })],
    code: 'ROLE',
    says: ["'messages[0].role'", "Did you mean 'assistant'"],
  },
  'a role of the object prototype': {
    data: ['a.jsonl', lines({ messages: [{ role: 'constructor', content: 'x' }] })],
    code: 'ROLE',
    says: ["'constructor'"],
  },
  'a ShareGPT role': {
    data: ['a.json', [{ conversations: [{ from: 'narrator', value: 'x' }] }]],
    code: 'ROLE',
    says: ["'conversations[0].from'", "'narrator'"],
  },
  'a function call that is no JSON': {
    data: ['a.json', [{ conversations: [{ from: 'function_call', value: 'add(1)' }] }]],
    code: 'RECORD',
    says: ["'conversations[0].value'", '{"name", "arguments"}'],
  },
  'a weight that is neither 0 nor 1': {
    data: ['a.json', [{ messages: [{ role: 'assistant', content: 'x', weight: 0.5 }] }]],
    code: 'RECORD',
    says: ["'messages[0].weight'", '0.5'],
  },
  'a history that is no pairs': {
    data: ['a.json', [{ ...good, history: [['only one']] }]],
    code: 'RECORD',
    says: ["'history[0]'", 'pair'],
  },
  'a prompt of text with a completion of messages': {
    data: ['a.json', [{ prompt: 'x', completion: [{ role: 'assistant', content: 'y' }] }]],
    code: 'RECORD',
    says: ["'completion'"],
  },
  'a column that is not there': {
    data: ['a.csv', 'q,a\n1,2\n'],
    config: { datasetColumns: { prompt: 'question', completion: 'a' } },
    code: 'COLUMN',
    says: ["'question'", 'q, a'],
  },
  'a text field that is not there': {
    data: ['a.jsonl', lines({ body: 'x' })],
    config: { datasetTextField: 'content' },
    code: 'COLUMN',
    says: ["'content'", 'body'],
  },
  'preference pairs': {
    data: ['a.json', [{ prompt: 'p', chosen: 'c', rejected: 'r' }]],
    code: 'PREFERENCE',
    says: ['DPO'],
  },
  'an unknown template': {
    data: ['a.json', [good]],
    config: { chatTemplate: 'chatlm' },
    code: 'TEMPLATE_UNKNOWN',
    says: ["'chatlm'", "Did you mean 'chatml'"],
  },
  "the tokenizer's template where it has none": {
    data: ['a.json', [good]],
    config: { chatTemplate: 'tokenizer' },
    code: 'TEMPLATE_MISSING',
    says: ['chatTemplate'],
  },
  'a template file that is not there': {
    data: ['a.json', [good]],
    config: { chatTemplate: 'nowhere/x.jinja' },
    code: 'UNREADABLE',
    says: ['x.jinja'],
  },
  'a template that is no Jinja': {
    data: ['a.json', [good]],
    config: { chatTemplate: '{% for %}' },
    code: 'LMFLOW_TEMPLATE_INVALID',
    says: ['configuration'],
  },
  'a template that refuses the roles': {
    data: [
      'a.json',
      [
        {
          messages: [
            { role: 'tool', content: 'x' },
            { role: 'assistant', content: 'y' },
          ],
        },
      ],
    ],
    config: { chatTemplate: 'llama2' },
    code: 'TEMPLATE',
    says: ['record 0', 'llama2 knows the roles'],
  },
  'only questions': {
    data: ['a.json', [{ messages: [{ role: 'user', content: 'x' }] }]],
    code: 'NO_TRAINED_TOKENS',
    says: ['1 empty', 'trainOnPrompt'],
  },
  'answers behind blockSize': {
    data: ['a.json', [good]],
    config: { blockSize: 8 },
    code: 'NO_TRAINED_TOKENS',
    says: ['1 without a trained token', 'blockSize'],
  },
  'only empty texts': {
    data: ['a.json', [{ text: '' }, { text: ' ' }]],
    code: 'NO_TRAINED_TOKENS',
    says: ['2 empty'],
  },
  'blockSize beyond the model': {
    data: ['a.json', [good]],
    config: { blockSize: 4096 },
    code: 'BLOCK_SIZE',
    says: ['4096', '512'],
  },
  'a split of one record': {
    data: ['a.json', [good]],
    config: { validationSplit: 0.5 },
    code: 'SPLIT',
    says: ['1 record'],
  },
  'a split of everything': {
    data: ['a.json', [good, good]],
    config: { validationSplit: 2 },
    code: 'SPLIT',
    says: ['validationSplit 2'],
  },
  'a split and an evaluation dataset': {
    data: ['a.json', [good]],
    config: { validationSplit: 0.5, evalDataset: 'b.json' },
    code: 'SPLIT',
    says: ['evalDataset and validationSplit'],
  },
};

for (const [name, { data, dataset, config = {}, code, says }] of Object.entries(cases)) {
  test(name, async () => {
    const error = await failure(() =>
      load({ dataset: data ? file(data[0], data[1]) : dataset!(), ...config }),
    );
    assert.is(
      error.code,
      code.startsWith('LMFLOW_') ? code : `LMFLOW_DATASET_${code}`,
      error.message,
    );
    const text = `${error.message} ${error.hint ?? ''}`;
    for (const part of says) {
      assert.ok(text.includes(part), `${JSON.stringify(part)} is not in: ${text}`);
    }
    assert.not.match(text, /undefined|\[object/);
  });
}

test.after(removeFolders);
test.run();
