// Encodes Q8_0 and Q4_0: blocks of 32 numbers with one float16 scale.
import { fromFloat16, toFloat16 } from '@lmflow/sdk/formats';
import { level, symmetricScale } from './fit.ts';

const BLOCK = 32;

/** Scale (float16), 32 signed bytes. */
export function encodeQ80(numbers: Float32Array): Uint8Array {
  const scales = new Float32Array(numbers.length / BLOCK);
  for (let block = 0; block < scales.length; block++) {
    let largest = 0;
    for (let index = block * BLOCK; index < (block + 1) * BLOCK; index++) {
      largest = Math.max(largest, Math.abs(numbers[index]!));
    }
    scales[block] = largest / 127;
  }
  return blocks(scales, 34, (bytes, place, block, scale) => {
    for (let index = 0; index < BLOCK; index++) {
      bytes[place + index] = level(numbers[block * BLOCK + index]!, scale, -127, 127);
    }
  });
}

/**
 * Scale (float16), 16 bytes: number i in the low half of byte i, number i + 16 in the high half,
 * each 8 more than it is.
 */
export function encodeQ40(numbers: Float32Array): Uint8Array {
  const scales = Float32Array.from({ length: numbers.length / BLOCK }, (_, block) =>
    symmetricScale(numbers, block * BLOCK, BLOCK, 8),
  );
  return blocks(scales, 18, (bytes, place, block, scale) => {
    const at = (index: number): number => level(numbers[block * BLOCK + index]!, scale, -8, 7) + 8;
    for (let index = 0; index < 16; index++) {
      bytes[place + index] = at(index) | (at(index + 16) << 4);
    }
  });
}

/** Blocks that start with their scale; codes are computed with the scale rounded to float16. */
function blocks(
  scales: Float32Array,
  size: number,
  fill: (bytes: Uint8Array, place: number, block: number, scale: number) => void,
): Uint8Array {
  const bytes = new Uint8Array(scales.length * size);
  const halves = toFloat16(scales);
  const rounded = fromFloat16(halves);
  for (let block = 0; block < scales.length; block++) {
    const place = block * size;
    bytes[place] = halves[block]! & 255;
    bytes[place + 1] = halves[block]! >> 8;
    fill(bytes, place + 2, block, rounded[block]!);
  }
  return bytes;
}
