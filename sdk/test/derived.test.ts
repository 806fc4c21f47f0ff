// Files made from weights: kept, made again where one of the weights has changed, never left half.
import { mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { derivedFile } from '../src/derived.ts';
import type { FileWeight } from '../src/graph/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'lmflow-derived-'));
const weightIn = (name: string): FileWeight => {
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(8));
  return { kind: 'file', path, offset: 0, byteLength: 8, dtype: 'float32', shape: [2] };
};
const [weight, other] = [weightIn('one'), weightIn('two')];
const cache = join(folder, 'cache');
const derived = (key: string, others: readonly FileWeight[] = []): ReturnType<typeof derivedFile> =>
  derivedFile({
    folder: cache,
    weight,
    others,
    key: { key },
    byteLength: 1,
    make: async () => [Uint8Array.of(7)],
  });

test('is made once a key, and again where another of its weights is, or is changed', async () => {
  const first = await derived('a', [other]);
  assert.equal([first.made, [...readFileSync(first.path)]], [true, [7]]);
  assert.equal(await derived('a', [other]), { path: first.path, made: false });
  const distinct = [
    await derived('b', [other]),
    await derived('a'),
    await derived('a', [{ ...other, offset: 4, byteLength: 4, shape: [1] }]),
  ];
  assert.ok(distinct.every(({ made }) => made));
  utimesSync(other.path, 1, 1);
  const again = await derived('a', [other]);
  assert.ok(again.made && again.path !== first.path);
});

test('nothing is left of one that could not be made', async () => {
  const before = readdirSync(cache, { recursive: true }).length;
  const failing = derivedFile({
    folder: cache,
    weight,
    key: { key: 'c' },
    byteLength: 1,
    make: () => Promise.reject(new Error('no')),
  });
  assert.is(
    await failing.then(
      () => 'made',
      (error: Error) => error.message,
    ),
    'no',
  );
  assert.is(readdirSync(cache, { recursive: true }).length, before);
});

test.run();
