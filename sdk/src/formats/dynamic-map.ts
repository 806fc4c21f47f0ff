// The dynamic map of 8-bit numbers (Dettmers 2015, "8-Bit Approximations for Parallelism in Deep
// Learning"), with bitsandbytes' values. Who stores codes of it keeps the scales beside them.

/**
 * The 256 values of the dynamic map, ascending: 0, 1, and 7 decades of magnitude, the finer the
 * larger; `signed` has -0.99 to 1, the other 0 to 1 with twice as many values a decade. A code is
 * the index of its value. They are bit for bit those of bitsandbytes' `create_dynamic_map`, which
 * computes in float32.
 */
export function dynamicMap(signed: boolean): Float32Array {
  const numbers = [0, 1];
  for (let decade = 0; decade < 7; decade++) {
    const edges = evenly(0.1, 1, 2 ** (signed ? decade : decade + 1) + 1);
    const factor = Math.fround(10 ** (decade - 6));
    for (let index = 0; index + 1 < edges.length; index++) {
      const number = Math.fround(
        factor * Math.fround(Math.fround(edges[index]! + edges[index + 1]!) / 2),
      );
      numbers.push(number);
      if (signed) numbers.push(-number);
    }
  }
  return Float32Array.from(numbers).sort();
}

/** As torch.linspace in float32: counted from the nearer end. */
function evenly(from: number, to: number, count: number): Float32Array {
  const step = Math.fround((Math.fround(to) - Math.fround(from)) / (count - 1));
  return Float32Array.from({ length: count }, (_, index) =>
    index < count / 2
      ? Math.fround(from) + step * index
      : Math.fround(to) - step * (count - 1 - index),
  );
}
