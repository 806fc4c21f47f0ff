// Matrices in whole numbers of 4 or 8 bits, back to float32. How they are made: the plugin
// quantize.
import type { PackedWeight } from '../graph/index.ts';
import { readBytes, readWeight } from './reader.ts';

/** How codes stand for the numbers of a matrix [rows, columns]. */
export interface CodeLayout {
  readonly rows: number;
  readonly columns: number;
  readonly bits: 4 | 8;
  /** Columns that share a scale; a row's last group may be short. */
  readonly groupSize: number;
}

/**
 * (code - zero point) x scale, [rows, columns]. Codes: rows of whole bytes, perhaps longer than
 * their columns; scales [rows, groups]; without `zeroPoint` it is the middle of the codes.
 */
export function decodeNumbers(
  codes: Uint8Array,
  scales: Float32Array,
  { rows, columns, bits, groupSize }: CodeLayout,
  zeroPoint?: (row: number, group: number) => number,
): Float32Array {
  const numbers = new Float32Array(rows * columns);
  const groups = Math.ceil(columns / groupSize);
  const bytes = codes.length / rows;
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++) {
      const scale = scales[row * groups + group]!;
      const zero = zeroPoint?.(row, group) ?? 2 ** (bits - 1);
      const end = Math.min(columns, (group + 1) * groupSize);
      for (let column = group * groupSize; column < end; column++) {
        const code =
          bits === 8
            ? codes[row * bytes + column]!
            : (codes[row * bytes + (column >> 1)]! >> (column & 1 ? 4 : 0)) & 15;
        numbers[row * columns + column] = (code - zero) * scale;
      }
    }
  }
  return numbers;
}

/** The zero points of a packed weight, one a byte, [rows, groups]; undefined where it has none. */
export async function readZeroPoints({
  shape,
  bits,
  zeroPoints,
}: PackedWeight): Promise<Uint8Array | undefined> {
  if (!zeroPoints) return undefined;
  const [rows, groups] = [shape[0]!, zeroPoints.shape[1]!];
  const bytes = await readBytes(zeroPoints);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const each = 32 / bits;
  return Uint8Array.from({ length: rows * groups }, (_, place) => {
    const row = Math.floor(place / groups);
    return (
      (words[Math.floor(row / each) * groups + (place % groups)]! >>> (bits * (row % each))) &
      (2 ** bits - 1)
    );
  });
}

/** A packed weight's numbers, row-major. */
export async function readPacked(weight: PackedWeight): Promise<Float32Array> {
  const {
    shape: [rows = 0, columns = 0],
    bits,
    groupSize,
    codes,
    scales,
  } = weight;
  const zeros = await readZeroPoints(weight);
  return decodeNumbers(
    await readBytes(codes),
    await readWeight(scales),
    { rows, columns, bits, groupSize },
    zeros && ((row, group) => zeros[row * (columns / groupSize) + group]!),
  );
}
