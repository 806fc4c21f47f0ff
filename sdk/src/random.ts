// The one source of randomness: a counter-based generator keyed by seed and purpose, so that any
// draw can be made again alone. Draw i of a stream is a hash of (key, i): no state to save, a
// resumed run and an uninterrupted one are the same run.

/** A stream of draws; `index` addresses a draw, there is no hidden state. */
export interface RandomStream {
  /** 32 random bits. */
  bits(index: number): number;
  /** Uniform in [0, 1), 32 bits of it. */
  uniform(index: number): number;
  /** Standard normal (Box-Muller). */
  normal(index: number): number;
  /** A permutation of 0 .. length - 1 (Fisher-Yates). */
  permutation(length: number): Uint32Array;
}

/**
 * The stream for a seed and a purpose: `randomStream(42, 'shuffle', epoch)`. Different keys give
 * independent streams.
 */
export function randomStream(seed: number, ...purpose: readonly (string | number)[]): RandomStream {
  const [low, high] = hashKey(`${seed}/${purpose.join('/')}`);
  const bits = (index: number): number => hash(index, low, high);
  const uniform = (index: number): number => bits(index) / 4294967296;
  return {
    bits,
    uniform,
    normal: (index) =>
      Math.sqrt(-2 * Math.log(1 - uniform(2 * index))) *
      Math.cos(2 * Math.PI * uniform(2 * index + 1)),
    permutation: (length) => {
      const order = Uint32Array.from({ length }, (_, index) => index);
      for (let last = length - 1; last > 0; last--) {
        const other = Math.floor(uniform(last) * (last + 1));
        const kept = order[last]!;
        order[last] = order[other]!;
        order[other] = kept;
      }
      return order;
    },
  };
}

/**
 * Writes 1 (keep, with probability 1 - `probability`) or 0 into `mask`; 16 bits a draw, so the
 * probability is exact to 1/65536.
 */
export function fillKeepMask(
  mask: Uint8Array,
  probability: number,
  seed: number,
  ...purpose: readonly (string | number)[]
): void {
  const [low, high] = hashKey(`${seed}/${purpose.join('/')}`);
  const threshold = Math.round(probability * 65536);
  for (let index = 0; index < mask.length; index += 2) {
    const bits = hash(index >>> 1, low, high);
    mask[index] = (bits & 0xffff) >= threshold ? 1 : 0;
    mask[index + 1] = bits >>> 16 >= threshold ? 1 : 0;
  }
}

// Two rounds of a 32-bit finalizer (Murmur3's constants, and Mulvey's "lowbias32"), keyed on both
// sides.
function hash(index: number, low: number, high: number): number {
  let x = (index ^ low) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  x = ((x ^ (x >>> 16)) + high) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function hashKey(text: string): [number, number] {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    low = Math.imul(low ^ code, 0x01000193);
    high = (Math.imul(high ^ code, 0x5bd1e995) + 0x27d4eb2f) | 0;
    high ^= high >>> 15;
  }
  return [low | 0, high | 0];
}
