// Data that is no data: pipes, lines without end, records of millions of keys, files that unpack to
// gigabytes. Each is refused in linear time, and what is within the bounds is read as ever.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isLMFlowError, type RawRecord } from '@lmflow/sdk';
import { datasetReaders } from '../src/readers/index.ts';
import { ReaderTable } from '../src/readers/reader-table.ts';
import { datasetFile } from '../src/readers/data-file.ts';
import { openSource, type SourceContext } from '../src/sources/source.ts';
import { FormatTable } from '../src/formats/format-table.ts';
import { datasetFormats } from '../src/formats/index.ts';
import { folder as newFolder, removeFolders } from './kit.ts';

const test = suite('bounds of data files');
test.after(removeFolders);
const folder = newFolder();
const readers = new ReaderTable(datasetReaders);

async function read(
  name: string,
  content: string | Uint8Array,
  sampleBy: 'document' | 'line' | 'paragraph' = 'document',
): Promise<RawRecord[]> {
  const path = join(folder, name);
  writeFileSync(path, content);
  const records: RawRecord[] = [];
  for await (const record of readers.for(name)!.open(datasetFile({ path, name }, { sampleBy }))) {
    records.push(record);
  }
  return records;
}

async function refusal(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await work.then(
    () => assert.unreachable('nothing was thrown'),
    (reason: unknown) => reason,
  );
  if (!isLMFlowError(error)) throw error;
  return error;
}

test('records of many chunks, whole and cut anywhere', async () => {
  const long = { text: `${'\\\\"{}[],:é'.repeat(200_000)}\\`, n: 1 };
  const records = [long, { text: 'b' }, long, { 'a "key"': [1, { b: '}' }] }];
  const values = (read: RawRecord[]): unknown[] => read.map(({ value }) => value);
  assert.equal(values(await read('list.json', JSON.stringify(records))), records);
  assert.equal(
    values(
      await read('wrapped.json', JSON.stringify({ note: long, type: 'x', instances: records })),
    ),
    records,
  );
  const lines = records.map((record) => JSON.stringify(record));
  assert.equal(values(await read('one-by-one.json', lines.join('\n'))), records);
  assert.equal(values(await read('lines.jsonl', lines.join('\r\n'))), records);
});

test('a line of 100 MB is read in linear time', async () => {
  const text = 'x'.repeat(1e8);
  for (const name of ['long.jsonl', 'long.json']) {
    const start = performance.now();
    const [record] = await read(name, JSON.stringify({ text }));
    assert.is((record!.value['text'] as string).length, text.length);
    assert.ok(performance.now() - start < 15_000, `${name} takes too long`);
  }
});

test('paragraphs and lines of a text', async () => {
  const text = 'a\r\nb\r\n \t\r\nc\n\n\n  d\ne\n';
  const texts = async (by: 'line' | 'paragraph'): Promise<unknown[]> =>
    (await read('text.txt', text, by)).map(({ value }) => value['text']);
  assert.equal(await texts('paragraph'), ['a\r\nb', 'c', '  d\ne']);
  assert.equal(await texts('line'), ['a', 'b', 'c', '  d', 'e']);
});

test('values longer than 256 MB and packed files without end stop at the limit', async () => {
  const zeros = gzipSync(Buffer.alloc(2 ** 29, 'x'), { level: 1 });
  for (const name of ['bomb.jsonl.gz', 'bomb.txt.gz']) {
    const { code, message } = await refusal(
      read(name, zeros, name.includes('txt') ? 'line' : 'document'),
    );
    assert.match(code, /^LMFLOW_DATASET_(BOMB|SYNTAX)$/);
    assert.match(message, /bomb\..*(256 MB|times its size)/);
  }
  const breaks = gzipSync(Buffer.alloc(2 ** 28 + 2 ** 20, '\n'));
  assert.is((await refusal(read('breaks.jsonl.gz', breaks))).code, 'LMFLOW_DATASET_BOMB');
});

test('a field of CSV of 100 MB is read in linear time, and a longer one stops at the limit', async () => {
  let start = performance.now();
  const [record] = await read('long.csv', `text,n\n"${'x'.repeat(1e8)}",1\n`);
  assert.is((record!.value['text'] as string).length, 1e8);
  assert.ok(performance.now() - start < 15_000, 'takes too long');
  const endless = 'x'.repeat(2 ** 28 + 2 ** 20);
  const fields = {
    'header.csv': endless,
    'open.csv': `text\n${endless}`,
    'quoted.tsv': `text\n"${endless}`,
  };
  for (const [name, content] of Object.entries(fields)) {
    start = performance.now();
    const { code, message } = await refusal(read(name, content));
    assert.is(code, 'LMFLOW_DATASET_SYNTAX');
    assert.match(message, /line [12]: a record is longer than 256 MB/);
    assert.ok(performance.now() - start < 8000, `${name} takes too long`);
  }
});

test('lines of CSV end alike, wherever chunks end', async () => {
  for (const end of ['\n', '\r\n', '\r']) {
    // a chunk has 2^18 bytes: it ends before, in and after the end of the first line
    for (const length of [-5, -4, -3, -2, -1, 0].map((less) => 2 ** 18 + less)) {
      const lines = [`a,${'b'.repeat(length - 2)}`, `"1 ""${end}""",2`, '3,4', ''];
      const values = (await read('ends.csv', lines.join(end))).map(({ value }) => value);
      assert.equal(values.map(Object.values), [
        [`1 "${end}"`, '2'],
        ['3', '4'],
      ]);
    }
  }
});

/** Two records of two columns, with some of their bits changed. */
const ENDLESS =
  'UEFSMRUGFZABFJABXBUEFQAVhBUAFQQVAAAAAwMfAAAAW3sicm9sZSI6InVzZXIiLCJjb250ZW50IjoiYSJ9XR8AAABbeyJy' +
  'b2xlIjoidXNlciIsImNvbnRlbnQiOiJiIn1dFQQVChUKTBUCFQAAAAEAAAB4FQYVBBUEXBUEFQAVBBUQFQAVAAAAAAMVBBk8' +
  'SARyb290FQQAFQwlAhgIbWVzc2FnZXMlJgAVDCUAGAR0ZXh0JQAAFgQZHBksJggcFQwZFQAZGAhtZXNzYWdlcxUAFgQWvgEW' +
  'viEmCDw2ACgfW3sicm9sZSI6InVzZXIiLCJjb250ZW50IjoiYiJ9XRgfW3sicm9sZSI6InVzZXIiLCJjb250ZW50IjoiYSJ9' +
  'XQAZHBUGFQAVAgAAACbGARwVDBklABAZGAR0ZXh0FQAWBBZSFlIm6gEmxgEcNgAoAXgYAXgAGSwVBBUAFQIAFQYUEBUCAAAA' +
  'FpACFgQ2kAIAKAloeXBhcnF1ZXQZLBwAABwAAAD5AAAAUEFSMQ==';

test('Parquet that decodes without end, or to what no data is', async () => {
  // a page header whose sizes lead hyparquet back to where it was
  const endless = await refusal(read('endless.parquet', Buffer.from(ENDLESS, 'base64')));
  assert.is(endless.code, 'LMFLOW_DATASET_UNREADABLE');
  assert.match(endless.message, /takes much more (time|memory) than a file of its size needs/);

  const column = (value: string, count: number): Uint8Array =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: [{ name: 'text', data: Array.from({ length: count }, () => value) }],
      }),
    );
  const rows = await refusal(read('rows.parquet', column('x', 2 ** 20 + 1)));
  assert.is(rows.code, 'LMFLOW_DATASET_BOMB');
  assert.match(rows.message, /has 1048577 rows in \d+ bytes/);
  const long = await refusal(read('long.parquet', column('x'.repeat(1e6), 2000)));
  assert.is(long.code, 'LMFLOW_DATASET_BOMB');
  assert.is((await read('fine.parquet', column('x', 3))).length, 3);
});

const context = {
  options: {},
  formats: new FormatTable(datasetFormats),
  readers,
  splits: ['train'],
  hub: () => assert.unreachable('no hub is needed'),
} as unknown as SourceContext;

test('a record of a million keys is refused with 20 of them', async () => {
  const path = join(folder, 'wide.jsonl');
  const fields = Array.from({ length: 1e6 }, (_, index) => `"key${index}":0`);
  writeFileSync(path, `{${fields.join(',')}}\n`);
  const { code, message } = await refusal(openSource({ path }, context));
  assert.is(code, 'LMFLOW_DATASET_FORMAT_UNKNOWN');
  assert.match(message, /key19 and 999980 more;/);
});

if (process.platform !== 'win32') {
  test('pipes and devices are no data files', async () => {
    const pipe = join(folder, 'pipe.jsonl');
    execFileSync('mkfifo', [pipe]);
    const { code, message } = await refusal(openSource({ path: pipe }, context));
    assert.is(code, 'LMFLOW_DATASET_UNREADABLE');
    assert.match(message, /pipe\.jsonl could not be read: it is a named pipe, not a regular file/);
  });
}

test.run();
