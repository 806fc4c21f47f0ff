// 16-bit floating point to float32, fast: bfloat16 by a shift, float16 by a table of all 65536 values.

export type Widen = (from: Uint16Array, to: Float32Array) => void;

/** A function that converts all of `from` into the front of `to`. */
export function widener(dtype: 'float16' | 'bfloat16'): Widen {
  return dtype === 'bfloat16' ? widenBfloat16 : widenFloat16;
}

const widenBfloat16: Widen = (from, to) => {
  const bits = new Uint32Array(to.buffer, to.byteOffset, from.length);
  for (let index = 0; index < from.length; index++) bits[index] = from[index]! << 16;
};

const widenFloat16: Widen = (from, to) => {
  table ??= halfTable();
  for (let index = 0; index < from.length; index++) to[index] = table[from[index]!]!;
};

let table: Float32Array | undefined;

function halfTable(): Float32Array {
  return Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const sign = bits >> 15 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
