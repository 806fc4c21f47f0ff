// The 4-bit data types of QLoRA (Dettmers et al. 2023) as bitsandbytes stores them: blocks of 64
// numbers in row-major order, one float32 scale (largest magnitude) a block, two codes a byte, the
// first in the high half. Not the scales' own quantization: scales.ts.

export type QuantType = 'nf4' | 'fp4';

/** Numbers that share a scale. */
export const BLOCK = 64;

/**
 * The number of each code, in units of its block's scale. NF4: quantiles of a normal distribution.
 * FP4: sign, 2 bits of exponent, 1 of fraction.
 */
export const CODES: Readonly<Record<QuantType, Float32Array>> = {
  nf4: Float32Array.of(
    -1,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1,
  ),
  fp4: Float32Array.of(
    0,
    5.208333333e-3,
    0.66666667,
    1,
    0.33333333,
    0.5,
    0.16666667,
    0.25,
    -0,
    -5.208333333e-3,
    -0.66666667,
    -1,
    -0.33333333,
    -0.5,
    -0.16666667,
    -0.25,
  ),
};

// Between neighbours: a number above the i-th limit is nearer to the next one. Digits as
// bitsandbytes has them, so that ties agree too.
const NF4_LIMITS = Float32Array.of(
  -0.8480964004993439,
  -0.6106329262256622,
  -0.4599952697753906,
  -0.33967943489551544,
  -0.23460740596055984,
  -0.13791173323988914,
  -0.045525018125772476,
  0.03979014977812767,
  0.1202552504837513,
  0.2035212516784668,
  0.2920137718319893,
  0.3893125355243683,
  0.5016634166240692,
  0.6427869200706482,
  0.8614784181118011,
);
const FP4_LIMITS = Float32Array.of(
  0.00260417,
  0.0859375,
  0.20833333,
  0.29166667,
  0.4166667,
  0.583333,
  0.8333333,
);
const FP4_BY_SIZE = Uint8Array.of(0, 1, 6, 7, 4, 5, 2, 3);

/**
 * Parts of a unit: so small that hardly any has a limit inside (then the comparison below is
 * foreseeable), and none has two.
 */
const PARTS = 1024;

// Where the search for a number's code begins: below the first limit that its part of the line
// (from `start` on, a little more for rounding) can have.
const NF4_FIRST = firstCodes(NF4_LIMITS, -1);
const FP4_FIRST = firstCodes(FP4_LIMITS, 0);

function firstCodes(limits: Float32Array, start: number): Uint8Array {
  return Uint8Array.from(
    { length: (1 - start) * PARTS + 1 },
    (_, part) => limits.filter((limit) => limit < start + part / PARTS - 1e-6).length,
  );
}

const codeOf: Readonly<Record<QuantType, (x: number) => number>> = {
  nf4: (x) => {
    const code = NF4_FIRST[((x + 1) * PARTS) | 0]!;
    // above the last limit there is none to compare with
    return x > NF4_LIMITS[code]! ? code + 1 : code;
  },
  fp4: (x) => {
    const size = Math.abs(x);
    const code = FP4_FIRST[(size * PARTS) | 0]!;
    return FP4_BY_SIZE[size > FP4_LIMITS[code]! ? code + 1 : code]! + (x < 0 ? 8 : 0);
  },
};

export interface Quantized {
  /** [ceil(n / 2)] */
  readonly packed: Uint8Array;
  /** Largest magnitude of each block, [ceil(n / 64)]. */
  readonly scales: Float32Array;
}

/** Bytes and blocks that n numbers take. */
export function sizesOf(n: number): { readonly bytes: number; readonly blocks: number } {
  return { bytes: Math.ceil(n / 2), blocks: Math.ceil(n / BLOCK) };
}

/**
 * Quantizes numbers in row-major order; the last block may be short. A block of zeros gets scale 0.
 */
export function quantize(numbers: Float32Array, type: QuantType): Quantized {
  const { bytes, blocks } = sizesOf(numbers.length);
  const packed = new Uint8Array(bytes);
  const scales = new Float32Array(blocks);
  const code = codeOf[type];
  for (let block = 0; block < blocks; block++) {
    const start = block * BLOCK;
    const end = Math.min(numbers.length, start + BLOCK);
    let largest = 0;
    for (let index = start; index < end; index++) {
      largest = Math.max(largest, Math.abs(numbers[index]!));
    }
    scales[block] = largest;
    const factor = largest > 0 ? Math.fround(1 / largest) : 0;
    for (let index = start; index + 1 < end; index += 2) {
      packed[index >> 1] =
        (code(Math.fround(numbers[index]! * factor)) << 4) |
        code(Math.fround(numbers[index + 1]! * factor));
    }
    if (end & 1) packed[end >> 1] = code(Math.fround(numbers[end - 1]! * factor)) << 4;
  }
  return { packed, scales };
}

/** The n numbers that codes and scales stand for. */
export function dequantize(
  { packed, scales }: Quantized,
  n: number,
  type: QuantType,
): Float32Array {
  const codes = CODES[type];
  return Float32Array.from(
    { length: n },
    (_, index) =>
      codes[(packed[index >> 1]! >> (index & 1 ? 0 : 4)) & 15]! *
      scales[Math.floor(index / BLOCK)]!,
  );
}

/** [256, 2]: the two numbers of every byte. */
export function byteTable(type: QuantType): Float32Array {
  return Float32Array.from(
    { length: 512 },
    (_, place) => CODES[type][((place >> 1) >> (place & 1 ? 0 : 4)) & 15]!,
  );
}
