// Numbers of 16 bits and float32, both ways, by typed-array loops. Also IEEE half precision where
// JavaScript has none (Node 20). Not with @petamoriken/float16: its Float16Array is a proxy, which
// reads 36 times slower.

/** float32 of every float16, by its bits (IEEE 754 binary16). */
let halves: Float32Array | undefined;

function halfTable(): Float32Array {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const magnitude = magnitudeOf((bits >> 10) & 31, bits & 1023);
    halves[bits] = bits & 32768 ? -magnitude : magnitude;
  }
  return halves;
}

function magnitudeOf(exponent: number, fraction: number): number {
  if (exponent === 0) return fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? Infinity : NaN;
  return (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** float16 bits as float32; exact. */
export function fromFloat16(
  bits: Uint16Array,
  target: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const table = halfTable();
  for (let index = 0; index < bits.length; index++) target[index] = table[bits[index]!]!;
  return target;
}

/** bfloat16 bits as float32; exact. */
export function fromBfloat16(
  bits: Uint16Array,
  target: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const words = new Uint32Array(target.buffer, target.byteOffset, bits.length);
  for (let index = 0; index < bits.length; index++) words[index] = bits[index]! << 16;
  return target;
}

/** float32 rounded to bfloat16 (to nearest, ties to even), as bits. */
export function toBfloat16(numbers: Float32Array): Uint16Array {
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  const bits = new Uint16Array(numbers.length);
  for (let index = 0; index < bits.length; index++) {
    const word = words[index]!;
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    bits[index] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}

/** float32 rounded to float16 (to nearest, ties to even; too large becomes infinite), as bits. */
export function toFloat16(numbers: Float32Array): Uint16Array {
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  const bits = new Uint16Array(numbers.length);
  for (let index = 0; index < bits.length; index++) bits[index] = halfOf(words[index]!);
  return bits;
}

function halfOf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and up
  if (magnitude >= 0x38800000) {
    // normal: 2 ** -14 and up; a carry out of the fraction raises the exponent, as it must
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  const shift = 126 - (magnitude >>> 23); // subnormal: units of 2 ** -24
  if (shift > 24) return sign;
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const halfway = 2 ** (shift - 1);
  return sign | ((fraction + halfway - 1 + ((fraction >>> shift) & 1)) >>> shift);
}
