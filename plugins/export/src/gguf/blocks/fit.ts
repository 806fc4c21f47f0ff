// Fitting a small group of numbers to integers times a scale (and an offset), by least squares over a few starting scales.

const clamp = (value: number, low: number, high: number): number => (value < low ? low : value > high ? high : value);

/**
 * The scale s for which s q, q an integer in -levels .. levels - 1, is nearest to numbers[start .. start + count). It may be negative:
 * the number of largest magnitude takes the end of the range that reaches further.
 */
export function symmetricScale(numbers: Float32Array, start: number, count: number, levels: number): number {
  let extreme = 0;
  for (let index = start; index < start + count; index++) if (Math.abs(numbers[index]!) > Math.abs(extreme)) extreme = numbers[index]!;
  if (extreme === 0) return 0;
  let best = extreme / -levels;
  let bestError = Infinity;
  for (let step = -6; step <= 6; step++) {
    const inverse = -(levels + step * 0.1) / extreme;
    let [cross, squares, total] = [0, 0, 0];
    for (let index = start; index < start + count; index++) {
      const x = numbers[index]!;
      const q = clamp(Math.round(x * inverse), -levels, levels - 1);
      cross += x * q;
      squares += q * q;
      total += x * x;
    }
    // With the best scale for these integers the squared error is total - cross^2 / squares.
    const error = total - (cross * cross) / squares;
    if (squares > 0 && error < bestError) [best, bestError] = [cross / squares, error];
  }
  return best;
}

/** scale and offset (both at least 0) for which scale q - offset, q an integer in 0 .. levels, is nearest; into `scales` and `offsets` at `place`. */
export function offsetScale(numbers: Float32Array, start: number, count: number, levels: number, scales: Float32Array, offsets: Float32Array, place: number): void {
  let [low, high, sum, total] = [0, -Infinity, 0, 0];
  for (let index = start; index < start + count; index++) {
    const x = numbers[index]!;
    if (x < low) low = x;
    if (x > high) high = x;
    sum += x;
    total += x * x;
  }
  scales[place] = high > low ? (high - low) / levels : 0;
  offsets[place] = -low;
  if (!(high > low)) return;
  let bestError = Infinity;
  for (let step = -4; step <= 4; step++) {
    const inverse = (levels + step * 0.2) / (high - low);
    let [qSum, squares, cross] = [0, 0, 0];
    for (let index = start; index < start + count; index++) {
      const x = numbers[index]!;
      const q = clamp(Math.round((x - low) * inverse), 0, levels);
      qSum += q;
      squares += q * q;
      cross += x * q;
    }
    const determinant = count * squares - qSum * qSum;
    if (determinant <= 0) continue;
    let scale = (count * cross - qSum * sum) / determinant;
    let minimum = (squares * sum - qSum * cross) / determinant;
    if (minimum > 0) [minimum, scale] = [0, cross / squares];
    if (!(scale > 0)) continue;
    const error = total + scale * scale * squares + count * minimum * minimum - 2 * scale * cross - 2 * minimum * sum + 2 * scale * minimum * qSum;
    if (error < bestError) [bestError, scales[place], offsets[place]] = [error, scale, -minimum];
  }
}

/** x / scale as the nearest integer in low .. high; 0 (or the nearest to it) where the scale is 0. */
export function level(x: number, scale: number, low: number, high: number): number {
  return scale === 0 ? clamp(0, low, high) : clamp(Math.round(x / scale), low, high);
}
