// Encodes Q4_K and Q6_K: blocks of 256 numbers in parts with integer scales, which are multiplied
// by one or two float16 scales of the block.
import { fromFloat16, toFloat16 } from '@lmflow/sdk/formats';
import { level, offsetScale, symmetricScale } from './fit.ts';

const BLOCK = 256;

/**
 * Two float16 (scale of the scales, scale of the offsets), 8 scales and 8 offsets of 6 bits in 12
 * bytes, 256 numbers of 4 bits.
 */
export function encodeQ4K(numbers: Float32Array): Uint8Array {
  const count = numbers.length / BLOCK;
  const bytes = new Uint8Array(count * 144);
  const [scales, offsets] = [new Float32Array(count * 8), new Float32Array(count * 8)];
  for (let part = 0; part < scales.length; part++) {
    offsetScale(numbers, part * 32, 32, 15, scales, offsets, part);
  }
  const scaleOfBlock = halves(largestOf(scales, 8).map((largest) => largest / 63));
  const offsetOfBlock = halves(largestOf(offsets, 8).map((largest) => largest / 63));
  const quantized = new Uint8Array(BLOCK);
  for (let block = 0; block < count; block++) {
    const place = block * 144;
    put(bytes, place, scaleOfBlock.bits[block]!);
    put(bytes, place + 2, offsetOfBlock.bits[block]!);
    for (let part = 0; part < 8; part++) {
      const scale = level(scales[block * 8 + part]!, scaleOfBlock.values[block]!, 0, 63);
      const offset = level(offsets[block * 8 + part]!, offsetOfBlock.values[block]!, 0, 63);
      putSix(bytes, place + 4, part, scale, offset);
      const [unit, below] = [
        scale * scaleOfBlock.values[block]!,
        offset * offsetOfBlock.values[block]!,
      ];
      for (let index = part * 32; index < part * 32 + 32; index++) {
        quantized[index] = level(numbers[block * BLOCK + index]! + below, unit, 0, 15);
      }
    }
    // 64 numbers take 32 bytes: the first half of them in the low bits.
    for (let index = 0; index < 128; index++) {
      const first = Math.floor(index / 32) * 64 + (index % 32);
      bytes[place + 16 + index] = quantized[first]! | (quantized[first + 32]! << 4);
    }
  }
  return bytes;
}

/**
 * Scale and offset of a part: the first four parts have six bits of a byte each, the upper two bits
 * of these bytes belong to the last four.
 */
function putSix(
  bytes: Uint8Array,
  place: number,
  part: number,
  scale: number,
  offset: number,
): void {
  if (part < 4) {
    bytes[place + part]! |= scale;
    bytes[place + part + 4]! |= offset;
    return;
  }
  bytes[place + part + 4]! |= (scale & 15) | ((offset & 15) << 4);
  bytes[place + part - 4]! |= (scale >> 4) << 6;
  bytes[place + part]! |= (offset >> 4) << 6;
}

/**
 * 256 numbers of 6 bits (four low bits in 128 bytes, two high bits in 64), 16 scales in signed
 * bytes, one float16.
 */
export function encodeQ6K(numbers: Float32Array): Uint8Array {
  const count = numbers.length / BLOCK;
  const bytes = new Uint8Array(count * 210);
  const scales = Float32Array.from({ length: count * 16 }, (_, part) =>
    symmetricScale(numbers, part * 16, 16, 32),
  );
  const scaleOfBlock = halves(largestOf(scales, 16).map((largest) => largest / -128));
  const quantized = new Uint8Array(BLOCK);
  for (let block = 0; block < count; block++) {
    const place = block * 210;
    for (let part = 0; part < 16; part++) {
      const scale = level(scales[block * 16 + part]!, scaleOfBlock.values[block]!, -128, 127);
      bytes[place + 192 + part] = scale;
      const unit = scale * scaleOfBlock.values[block]!;
      for (let index = part * 16; index < part * 16 + 16; index++) {
        quantized[index] = level(numbers[block * BLOCK + index]!, unit, -32, 31) + 32;
      }
    }
    for (const half of [0, 1]) {
      for (let index = 0; index < 32; index++) {
        const [a, b, c, d] = [0, 32, 64, 96].map(
          (step) => quantized[half * 128 + step + index]!,
        ) as [number, number, number, number];
        bytes[place + half * 64 + index] = (a & 15) | ((c & 15) << 4);
        bytes[place + half * 64 + index + 32] = (b & 15) | ((d & 15) << 4);
        bytes[place + 128 + half * 32 + index] =
          (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((d >> 4) << 6);
      }
    }
    put(bytes, place + 208, scaleOfBlock.bits[block]!);
  }
  return bytes;
}

/** The number of largest magnitude of every group, with its sign. */
function largestOf(numbers: Float32Array, group: number): Float32Array {
  const result = new Float32Array(numbers.length / group);
  for (let index = 0; index < numbers.length; index++) {
    const place = Math.floor(index / group);
    if (Math.abs(numbers[index]!) > Math.abs(result[place]!)) result[place] = numbers[index]!;
  }
  return result;
}

function halves(numbers: Float32Array): {
  readonly bits: Uint16Array;
  readonly values: Float32Array;
} {
  const bits = toFloat16(numbers);
  return { bits, values: fromFloat16(bits) };
}

function put(bytes: Uint8Array, place: number, half: number): void {
  bytes[place] = half & 255;
  bytes[place + 1] = half >> 8;
}
