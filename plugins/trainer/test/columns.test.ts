// What goes with the sequences of a micro-batch: groups, columns, numbers of tokens, media, and
// which sample a token is of; padded, joined and packed.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  IGNORED,
  joinSamples,
  sequencesOf,
  type Batch,
  type Sample,
  type Samples,
} from '@lmflow/sdk';
import { collate, type CollateOptions } from '../src/data/collate.ts';

const options: CollateOptions = { multipleOf: 4, cap: 64 };

/** Tokens n, n + 1, ..., whose numbers are a tenth of them; all but the first are trained. */
function sequence(first: number, length: number, columns?: Record<string, number>): Sample {
  const inputIds = Int32Array.from({ length }, (_, index) => first + index);
  const labels = inputIds.slice();
  labels[0] = IGNORED;
  return {
    inputIds,
    labels,
    perToken: { advantage: Float32Array.from(inputIds, (id) => id / 10) },
    ...(columns ? { columns } : {}),
  };
}

function samplesOf(groups: readonly (readonly Sample[])[]): Samples {
  return {
    length: groups.length,
    fingerprint: 'test',
    statistics: { samples: groups.length, tokens: 0, trainedTokens: 0, truncated: 0, dropped: 0 },
    get: (index) => joinSamples(groups[index]!),
    lengthOf: (index) => Math.max(...groups[index]!.map(({ inputIds }) => inputIds.length)),
    group: { size: groups[0]!.length, get: (index) => groups[index]! },
  };
}

const row = ({ tensors, length }: Batch, name: string, index: number): number[] =>
  Array.from(tensors[name]!.data as ArrayLike<number>).slice(index * length, (index + 1) * length);

const batchOf = (samples: Samples, indices: readonly number[], given = options): Batch =>
  collate(
    indices.flatMap((index) => sequencesOf(samples, index)),
    given,
  );

const pairs = samplesOf([
  [sequence(10, 3, { margin: 1 }), sequence(20, 2, { margin: 2 })],
  [sequence(30, 2, { margin: 3 }), sequence(40, 4, { margin: 4 })],
]);

test('a pair is two rows that follow each other; the batch counts pairs', () => {
  const batch = batchOf(pairs, [1, 0]);
  assert.equal([batch.size, batch.length, batch.groupSize], [4, 4, 2]);
  assert.equal(batch.sequences, [
    { sample: 1, member: 0, row: 0, start: 0, length: 2 },
    { sample: 1, member: 1, row: 1, start: 0, length: 4 },
    { sample: 0, member: 0, row: 2, start: 0, length: 3 },
    { sample: 0, member: 1, row: 3, start: 0, length: 2 },
  ]);
  assert.equal(batch.tensors['margin'], {
    dtype: 'float32',
    shape: [4],
    data: Float32Array.of(3, 4, 1, 2),
  });
  assert.equal(row(batch, 'sequences', 0), [0, 0, -1, -1]);
  assert.equal(row(batch, 'sequences', 3), [3, 3, -1, -1]);
  assert.equal([...(batch.tensors['lastTokens']!.data as Int32Array)], [1, 7, 10, 13]);
  assert.equal(row(batch, 'advantage', 2), [...Float32Array.of(1, 1.1, 1.2, 0)]);
  assert.equal(row(batch, 'inputIds', 1), [40, 41, 42, 43]);
});

test('a sample that comes twice is two groups', () => {
  const { sequences, tensors } = batchOf(pairs, [0, 0]);
  assert.equal(
    sequences.map(({ member }) => member),
    [0, 1, 0, 1],
  );
  assert.equal([...(tensors['margin']!.data as Float32Array)], [1, 2, 1, 2]);
});

test('joined into fewer rows, every token keeps its sequence, its numbers and its sample', () => {
  const wide = { multipleOf: 1, cap: 64, join: true };
  const samples = Array.from({ length: 4 }, (_, index) => [
    sequence(10 * (index + 1), 1 + 3 * index, { reward: index / 2 }),
  ]);
  const set = samplesOf(samples);
  const batch = batchOf(set, [2, 0, 3, 1], wide);
  assert.is(batch.size, 1);
  assert.ok(batch.tensors['segments']);
  assert.equal(
    batch.sequences.map(({ sample }) => sample),
    [2, 0, 3, 1],
  );
  assert.equal([...(batch.tensors['reward']!.data as Float32Array)], [1, 0, 1.5, 0.5]);
  for (const [index, { sample, row: at, start, length }] of batch.sequences.entries()) {
    const [{ inputIds, perToken }] = samples[sample] as [Sample];
    const cut = (name: string): number[] => row(batch, name, at).slice(start, start + length);
    assert.equal(cut('inputIds'), [...inputIds]);
    assert.equal(cut('advantage'), [...perToken!['advantage']!]);
    assert.equal(
      cut('sequences'),
      Array.from({ length }, () => index),
    );
    const last = batch.tensors['lastTokens']!.data[index];
    assert.is(last, at * batch.length + start + length - 1);
  }
});

test('media move with their tokens', () => {
  const withImage = { ...sequence(10, 4), media: [{ key: 'a', start: 1, rows: 2 }] };
  const joined = joinSamples([sequence(20, 3), withImage]);
  assert.equal(joined.media, [{ key: 'a', start: 4, rows: 2 }]);
  const batch = collate([sequence(20, 3), withImage], options);
  assert.equal(batch.media, [{ key: 'a', start: 1, rows: 2, row: 1 }]);
});

test('samples without columns have the tensors they had', () => {
  const plain = { inputIds: Int32Array.of(1, 2), labels: Int32Array.of(-100, 2) };
  const batch = collate([plain, plain], options);
  assert.equal(Object.keys(batch.tensors), ['inputIds', 'labels', 'positions']);
  assert.equal([batch.groupSize, batch.sequences.length, batch.media], [1, 2, []]);
});

test('samples with other columns than the rest are an error that names the column', () => {
  const refuses = (samples: readonly Sample[], code: string, message: RegExp): void => {
    try {
      collate(samples, options);
    } catch (error) {
      assert.is((error as { code: string }).code, code);
      assert.match((error as Error).message, message);
      return;
    }
    assert.unreachable();
  };
  const bare = { inputIds: Int32Array.of(1), labels: Int32Array.of(-100) };
  refuses([sequence(1, 2), bare], 'LMFLOW_SAMPLE_COLUMNS', /"advantage"/);
  refuses(
    [
      { ...bare, columns: { margin: 1 } },
      { ...bare, columns: { reward: 1 } },
    ],
    'LMFLOW_SAMPLE_COLUMNS',
    /"margin"/,
  );
  refuses([{ ...bare, columns: { labels: 1 } }], 'LMFLOW_SAMPLE_COLUMN_NAME', /"labels"/);
});

test.run();
