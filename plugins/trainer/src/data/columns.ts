// The tensors of a micro-batch besides its tokens: the sequence of each token, the samples'
// columns, and numbers per token.
import {
  columnMissing,
  tokenNumbers,
  type BatchSequence,
  type BatchTensor,
  type Sample,
} from '@lmflow/sdk';
import { columnNameTaken } from '../errors.ts';

/** Tensors of every batch, whose names no column may have. */
const TAKEN = ['inputIds', 'labels', 'positions', 'segments', 'sequences', 'lastTokens'];

export interface ColumnTensors {
  /** In the order of the micro-batch. */
  readonly sequences: readonly BatchSequence[];
  /** Sequences of a sample. */
  readonly groupSize: number;
  /** Empty where no sequence has columns and samples are no groups. */
  readonly columns: Readonly<Record<string, BatchTensor>>;
}

/**
 * `members` says which sequences of the micro-batch are in each row. Throws LMFLOW_SAMPLE_COLUMNS,
 * LMFLOW_SAMPLE_COLUMN_NAME.
 */
export function columnTensors(
  rows: readonly Sample[],
  length: number,
  members: readonly (readonly number[])[],
): ColumnTensors {
  // joined rows have another order than the sequences; the parts of a packed sample stay together
  const ordered = rows
    .flatMap(({ parts = [] }, row) =>
      parts.map((part, index) => ({
        ...part,
        row,
        order: members[row]![index] ?? members[row]![0]!,
      })),
    )
    .sort((a, b) => a.order - b.order);
  const groupSize = 1 + Math.max(0, ...ordered.map(({ place }) => place?.member ?? 0));
  const sequences = ordered.map(({ place, row, start, length: tokens }, index) => ({
    sample: place?.sample ?? index,
    member: place?.member ?? 0,
    row,
    start,
    length: tokens,
  }));
  const names = [...new Set(ordered.flatMap(({ columns = {} }) => Object.keys(columns)))];
  const tokenNames = [...new Set(rows.flatMap(({ perToken = {} }) => Object.keys(perToken)))];
  if (names.length + tokenNames.length === 0 && groupSize === 1) {
    return { sequences, groupSize, columns: {} };
  }

  const taken = [...names, ...tokenNames].find(
    (name, index, all) => TAKEN.includes(name) || all.indexOf(name) !== index,
  );
  if (taken !== undefined) throw columnNameTaken(taken);
  const shape = [rows.length, length] as const;
  const columns = sequenceTensors(sequences, shape);
  for (const name of names) {
    const data = Float32Array.from(ordered, ({ columns: own }) => {
      const number = own?.[name];
      if (number === undefined) throw columnMissing(name);
      return number;
    });
    columns[name] = { dtype: 'float32', shape: [ordered.length], data };
  }
  for (const name of tokenNames) {
    const data = new Float32Array(rows.length * length);
    rows.forEach((sample, row) => {
      data.set(tokenNumbers(sample, name), row * length);
    });
    columns[name] = { dtype: 'float32', shape, data };
  }
  return { sequences, groupSize, columns };
}

/** Which sequence a token is of, and each sequence's last token. */
function sequenceTensors(
  sequences: readonly BatchSequence[],
  [rows, length]: readonly [number, number],
): Record<string, BatchTensor> {
  const ids = new Int32Array(rows * length).fill(-1);
  const ends = new Int32Array(sequences.length);
  for (const [index, { row, start, length: tokens }] of sequences.entries()) {
    const first = row * length + start;
    ids.fill(index, first, first + tokens);
    ends[index] = first + tokens - 1;
  }
  return {
    sequences: { dtype: 'int32', shape: [rows, length], data: ids },
    lastTokens: { dtype: 'int32', shape: [ends.length], data: ends },
  };
}
