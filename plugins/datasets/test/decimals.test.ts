// Columns of decimals in Parquet: the digits that pyarrow wrote (fixtures/decimals/decimals.py), stored as
// whole numbers of 32 and 64 bits and as bytes.
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { stringifyJson, type DatasetFile } from '@lmflow/sdk';
import { parquet } from '../src/readers/parquet.ts';
import { file, removeFolders } from './kit.ts';

test.after(removeFolders);

async function rows(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { value } of parquet.open({ path, name: 'd.parquet' } as DatasetFile)) {
    found.push(stringifyJson(value)!);
  }
  return found;
}

const fixture = (name: string): string =>
  join(import.meta.dirname, 'fixtures/decimals', `${name}.parquet`);

for (const name of ['bytes', 'integers']) {
  test(`decimals stored as ${name} keep their digits`, async () => {
    assert.equal(await rows(fixture(name)), [
      '{"small":-0.05,"middle":9007199254740.9931,"whole":-123456789012345678,' +
        '"large":12345678901234567890123456.123456789012,"nested":[{"price":99999999999999.99}]}',
      '{"small":1234567.25,"middle":-0.0001,"whole":7,"large":-1,' +
        '"nested":[{"price":-0.1},{}]}',
      '{"small":null,"middle":3,"whole":0,"large":0.1,"nested":[]}',
    ]);
  });
}

/** A file with one column of decimals in bytes of any length, beside one of text. */
const ofBytes = (scale: number): string =>
  file(
    'd.parquet',
    new Uint8Array(
      parquetWriteBuffer({
        schema: [
          { name: 'root', num_children: 2 },
          {
            name: 'x',
            type: 'BYTE_ARRAY',
            repetition_type: 'OPTIONAL',
            logical_type: { type: 'DECIMAL', precision: 38, scale },
          },
          { name: 'text', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL', converted_type: 'UTF8' },
        ],
        columnData: [
          {
            name: 'x',
            data: [Uint8Array.of(0xff), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1), null],
          },
          { name: 'text', data: ['a', 'b', 'c'] },
        ],
      }),
    ),
  );

test('decimals in bytes of any length', async () => {
  assert.equal(await rows(ofBytes(2)), [
    '{"x":-0.01,"text":"a"}',
    '{"x":184467440737095516.17,"text":"b"}',
    '{"x":null,"text":"c"}',
  ]);
});

test('a scale that no decimal has is an error', async () => {
  const error: unknown = await rows(ofBytes(2 ** 30)).catch((reason: unknown) => reason);
  assert.match(String(error), /could not be read: a decimal has the scale 1073741824/);
});

test.run();
