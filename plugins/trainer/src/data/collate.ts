// Makes a micro-batch of static shape from samples: padded on the right to a multiple of a length,
// so that few programs are compiled. columns.ts adds the samples' columns.
import {
  IGNORED,
  joinSamples,
  type Batch,
  type BatchTensor,
  type Sample,
  type Samples,
} from '@lmflow/sdk';
import { sampleTooLong } from '../errors.ts';
import { columnTensors } from './columns.ts';

export interface CollateOptions {
  /** Batches are as long as the next multiple of this ... */
  readonly multipleOf: number;
  /** ... but not longer than this. */
  readonly cap: number;
  /** Whether a row may hold several samples, one after another. */
  readonly join?: boolean;
}

/**
 * Longest row, in tokens, that samples are joined into unless one of them is longer: attention over
 * longer rows costs more than another row.
 */
const ROW = 2048;
/** Samples are joined if that leaves at most this share of the tokens of padded rows. */
const PAYS = 0.9;

/** The longest batch: the longest sample rounded up, but not past the model's positions. */
export function lengthCap(
  sampleSets: readonly (Pick<Samples, 'length' | 'lengthOf'> | undefined)[],
  multipleOf: number,
  maxPositions: number,
): number {
  let longest = 1;
  for (const samples of sampleSets) {
    for (let index = 0; index < (samples?.length ?? 0); index++) {
      longest = Math.max(longest, samples!.lengthOf(index));
    }
  }
  return Math.min(roundUp(longest, multipleOf), Math.max(longest, maxPositions));
}

/** Length of a batch whose longest sample has `longest` tokens. */
export function batchLength(longest: number, { multipleOf, cap }: CollateOptions): number {
  if (longest > cap) throw sampleTooLong(longest, cap);
  return Math.min(roundUp(Math.max(1, longest), multipleOf), cap);
}

/**
 * Tensors int32 [size, length]: `inputIds`, `labels` (IGNORED on padding), `positions`, and
 * `segments` (0 on padding) where a sample is packed; and the columns (see Batch). `trainedTokens`
 * counts the labels that are left after the shift: none at a sequence's first token.
 */
export function collate(sequences: readonly Sample[], options: CollateOptions): Batch {
  const length = batchLength(
    sequences.reduce((longest, { inputIds }) => Math.max(longest, inputIds.length), 0),
    options,
  );
  const joined =
    options.join && !sequences.some(({ segments }) => segments)
      ? rowsOf(sequences, options)
      : undefined;
  if (joined && joined.rows.length * joined.length <= PAYS * sequences.length * length) {
    return { ...padded(joined.rows, joined.length, joined.members), contextLength: options.cap };
  }
  const contextLength = sequences.reduce<number | undefined>(
    (most, { contextLength: own }) => (own === undefined ? most : Math.max(own, most ?? 0)),
    undefined,
  );
  return {
    ...padded(
      sequences.map(asPart),
      length,
      sequences.map((_, index) => [index]),
    ),
    ...(contextLength === undefined
      ? {}
      : { contextLength: Math.min(roundUp(contextLength, options.multipleOf), options.cap) }),
  };
}

/** The sequence with its parts; one that is not packed becomes one part. */
function asPart(sequence: Sample): Sample {
  if (sequence.parts) return sequence;
  const { inputIds, columns, place } = sequence;
  const part = { start: 0, length: inputIds.length };
  return {
    ...sequence,
    parts: [{ ...part, ...(columns ? { columns } : {}), ...(place ? { place } : {}) }],
  };
}

/** Distributes sequences over few rows: the longest first, each into the shortest row. */
function rowsOf(
  sequences: readonly Sample[],
  { multipleOf }: CollateOptions,
): {
  readonly rows: readonly Sample[];
  readonly length: number;
  /** Which sequences are in each row. */
  readonly members: readonly (readonly number[])[];
} {
  const lengths = sequences.map(({ inputIds }) => inputIds.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const rows = Array.from(
    { length: Math.max(1, Math.ceil(total / Math.max(ROW, ...lengths))) },
    () => ({ tokens: 0, members: [] as number[] }),
  );
  for (const index of [...sequences.keys()].sort((a, b) => lengths[b]! - lengths[a]!)) {
    const emptiest = rows.reduce((least, row) => (row.tokens < least.tokens ? row : least));
    emptiest.members.push(index);
    emptiest.tokens += lengths[index]!;
  }
  const longest = Math.max(...rows.map(({ tokens }) => tokens));
  // Four lengths between two powers of two: few programs, and about a tenth of padding
  // (alpaca_en_demo, batches of 8: 7 shapes, 9.5%; with eight lengths 13 and 4.9%).
  const step =
    Math.ceil(Math.max(multipleOf, 2 ** Math.floor(Math.log2(longest)) / 4) / multipleOf) *
    multipleOf;
  const members = rows.map((row) => row.members.sort((a, b) => a - b));
  return {
    members,
    rows: members.map((inside) => joinSamples(inside.map((index) => sequences[index]!))),
    length: roundUp(longest, step),
  };
}

function padded(
  rows: readonly Sample[],
  length: number,
  members: readonly (readonly number[])[],
): Batch {
  const size = rows.length;
  const packed = rows.some(({ segments }) => segments);
  const tensor = (fill: number): Int32Array => new Int32Array(size * length).fill(fill);
  const [inputIds, labels, positions, segments] = [
    tensor(0),
    tensor(IGNORED),
    tensor(0),
    packed ? tensor(0) : undefined,
  ];
  let [tokens, trainedTokens] = [0, 0];
  rows.forEach((sample, row) => {
    const start = row * length;
    const count = sample.inputIds.length;
    inputIds.set(sample.inputIds, start);
    labels.set(sample.labels, start);
    // Positions of a row with one sample continue through its padding, so that every row has 0, 1,
    // 2, ...
    if (sample.positions) positions.set(sample.positions, start);
    else {
      for (let place = 0; place < (packed ? count : length); place++) {
        positions[start + place] = place;
      }
    }
    if (segments && sample.segments) segments.set(sample.segments, start);
    else segments?.fill(1, start, start + count);
    tokens += count;
    trainedTokens += trainedOf(sample);
  });
  const shaped = (data: Int32Array): BatchTensor => ({
    dtype: 'int32',
    shape: [size, length],
    data,
  });
  const tensors: Record<string, BatchTensor> = {
    inputIds: shaped(inputIds),
    labels: shaped(labels),
    positions: shaped(positions),
  };
  if (segments) tensors['segments'] = shaped(segments);
  const { sequences, groupSize, columns } = columnTensors(rows, length, members);
  const media = rows.flatMap((sample, row) =>
    (sample.media ?? []).map((item) => ({ ...item, row })),
  );
  return {
    size,
    length,
    tensors: { ...tensors, ...columns },
    tokens,
    trainedTokens,
    sequences,
    groupSize,
    media,
  };
}

function trainedOf({ labels, segments }: Sample): number {
  let trained = 0;
  for (let place = 1; place < labels.length; place++) {
    if (labels[place] !== IGNORED && (!segments || segments[place] === segments[place - 1])) {
      trained++;
    }
  }
  return trained;
}

function roundUp(length: number, multipleOf: number): number {
  return Math.ceil(length / multipleOf) * multipleOf;
}
