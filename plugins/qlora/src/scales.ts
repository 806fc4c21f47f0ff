// Double quantization (Dettmers et al. 2023, section 3): the blocks' scales in 8 bits, in blocks of
// 256, around their mean.
import { dynamicMap } from '@lmflow/sdk/formats';

/** Scales that share a second scale. */
const SCALE_BLOCK = 256;

/** What the 8 bits of a scale stand for. */
export const DYNAMIC = dynamicMap(true);

export interface QuantizedScales {
  /** Indices into DYNAMIC, one a scale. */
  readonly codes: Uint8Array;
  /** Largest magnitude of each block of 256, after the mean was taken off. */
  readonly scales: Float32Array;
  readonly mean: number;
}

/** Quantizes scales to 8 bits. */
export function quantizeScales(scales: Float32Array): QuantizedScales {
  const mean = Math.fround(scales.reduce((sum, scale) => sum + scale, 0) / scales.length);
  const codes = new Uint8Array(scales.length);
  const outer = new Float32Array(Math.ceil(scales.length / SCALE_BLOCK));
  for (let block = 0; block < outer.length; block++) {
    const [start, end] = [block * SCALE_BLOCK, Math.min(scales.length, (block + 1) * SCALE_BLOCK)];
    let largest = 0;
    for (let index = start; index < end; index++) {
      largest = Math.max(largest, Math.abs(Math.fround(scales[index]! - mean)));
    }
    outer[block] = largest;
    for (let index = start; index < end; index++) {
      codes[index] = nearest(
        largest > 0 ? Math.fround(Math.fround(scales[index]! - mean) / largest) : 0,
      );
    }
  }
  return { codes, scales: outer, mean };
}

/** The float32 scales that the 8 bits stand for. */
export function dequantizeScales({ codes, scales, mean }: QuantizedScales): Float32Array {
  const result = new Float32Array(codes.length);
  for (let index = 0; index < codes.length; index++) {
    result[index] =
      Math.fround(DYNAMIC[codes[index]!]! * scales[Math.floor(index / SCALE_BLOCK)]!) + mean;
  }
  return result;
}

function nearest(number: number): number {
  let [low, high] = [0, DYNAMIC.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (DYNAMIC[middle]! <= number) low = middle;
    else high = middle;
  }
  return number > Math.fround((DYNAMIC[low]! + DYNAMIC[high]!) / 2) ? high : low;
}
