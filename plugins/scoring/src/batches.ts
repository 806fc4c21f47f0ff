// Rows become batches of a few shapes. A row's length is rounded up by itself, never to that of its
// neighbours, so that it is computed the same whatever stands beside it.
import type { Architecture } from '@lmflow/sdk/model';

/** Rows that are computed together. */
export interface RowBatch {
  /** Which rows. */
  readonly rows: readonly number[];
  /** Rows of the program: `rows` are its first ones. */
  readonly size: number;
  /** Tokens of a row. */
  readonly length: number;
}

/** Kinds of rope whose angles depend on the sequence's length. */
const STRETCHING: readonly string[] = ['dynamic', 'longrope'];
/** Shortest row of a program. */
const SHORTEST = 16;
/**
 * Fewest tokens of a program. Products of a few rows may be computed in another way (plugin
 * quantize does so up to 32): scores would depend on how many rows stand beside each other.
 */
export const FEWEST_TOKENS = 64;

/** Length of the program that computes a row: 16, 24, 32, 48, 64, 96, ..., at most the positions. */
function programLength(tokens: number, { rope, maxPositions }: Architecture): number {
  if (rope && STRETCHING.includes(rope.scaling.type)) return tokens;
  let size = SHORTEST;
  while (size < tokens) size = size % 3 === 0 ? (size / 3) * 4 : size * 1.5;
  return Math.max(tokens, Math.min(size, maxPositions));
}

/** Batches of at most `batchTokens` tokens and `batchSize` rows, longest rows first. */
export function batchesOf(
  lengths: readonly number[],
  architecture: Architecture,
  { batchTokens, batchSize }: { readonly batchTokens: number; readonly batchSize: number },
): RowBatch[] {
  const byLength = new Map<number, number[]>();
  for (const [row, tokens] of lengths.entries()) {
    const length = programLength(tokens, architecture);
    byLength.set(length, [...(byLength.get(length) ?? []), row]);
  }
  return [...byLength]
    .sort(([one], [other]) => other - one)
    .flatMap(([length, rows]) => {
      const most = powerBelow(Math.max(1, Math.min(Math.floor(batchTokens / length), batchSize)));
      return Array.from({ length: Math.ceil(rows.length / most) }, (_, index) => {
        const own = rows.slice(index * most, (index + 1) * most);
        const size = powerOver(Math.max(own.length, FEWEST_TOKENS / length));
        return { rows: own, size, length };
      });
    });
}

/** The largest power of two that is no larger. */
function powerBelow(count: number): number {
  return 2 ** Math.floor(Math.log2(count));
}

/** The smallest power of two that is no smaller. */
export function powerOver(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
