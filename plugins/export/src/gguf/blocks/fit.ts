// Fits a small group of numbers to integers times a scale (and an offset), by least squares over a
// few starting scales. simple.ts and k.ts lay out the bytes.

function clamp(value: number, low: number, high: number): number {
  if (value < low) return low;
  return value > high ? high : value;
}

/**
 * The scale s for which s q, q an integer in -levels .. levels - 1, is nearest to numbers[start ..
 * start + count). It may be negative: the number of largest magnitude takes the end of the range
 * that reaches further.
 */
export function symmetricScale(
  numbers: Float32Array,
  start: number,
  count: number,
  levels: number,
): number {
  let extreme = 0;
  for (let index = start; index < start + count; index++) {
    if (Math.abs(numbers[index]!) > Math.abs(extreme)) extreme = numbers[index]!;
  }
  if (extreme === 0) return 0;
  let best = extreme / -levels;
  let bestGain = 0;
  for (let step = -4; step <= 4; step++) {
    const inverse = -(levels + step * 0.15) / extreme;
    let cross = 0;
    let squares = 0;
    for (let index = start; index < start + count; index++) {
      const x = numbers[index]!;
      // Rounded by truncation of what is not negative: Math.round is many times slower here.
      const code = (x * inverse + levels + 0.5) | 0;
      const q = code >= 2 * levels ? levels - 1 : code - levels;
      cross += x * q;
      squares += q * q;
    }
    // With the best scale for these integers the squared error is that of zeros less this.
    const gain = squares > 0 ? (cross * cross) / squares : 0;
    if (gain > bestGain) {
      best = cross / squares;
      bestGain = gain;
    }
  }
  return best;
}

/**
 * Writes to `scales` and `offsets`, at `place`, the scale and offset (both at least 0) for which
 * scale q - offset, q an integer in 0 .. levels, is nearest.
 */
export function offsetScale(
  numbers: Float32Array,
  start: number,
  count: number,
  levels: number,
  scales: Float32Array,
  offsets: Float32Array,
  place: number,
): void {
  let low = 0;
  let high = -Infinity;
  let sum = 0;
  let total = 0;
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
    let qSum = 0;
    let squares = 0;
    let cross = 0;
    for (let index = start; index < start + count; index++) {
      const x = numbers[index]!;
      const code = ((x - low) * inverse + 0.5) | 0;
      const q = code > levels ? levels : code;
      qSum += q;
      squares += q * q;
      cross += x * q;
    }
    const determinant = count * squares - qSum * qSum;
    if (determinant <= 0) continue;
    let scale = (count * cross - qSum * sum) / determinant;
    let minimum = (squares * sum - qSum * cross) / determinant;
    if (minimum > 0) {
      minimum = 0;
      scale = cross / squares;
    }
    if (!(scale > 0)) continue;
    const error =
      total +
      scale * scale * squares +
      count * minimum * minimum -
      2 * scale * cross -
      2 * minimum * sum +
      2 * scale * minimum * qSum;
    if (error < bestError) {
      bestError = error;
      scales[place] = scale;
      offsets[place] = -minimum;
    }
  }
}

/**
 * x / scale as the nearest integer in low .. high; 0 (or the nearest to it) where the scale is 0.
 */
export function level(x: number, scale: number, low: number, high: number): number {
  return scale === 0 ? clamp(0, low, high) : clamp(Math.floor(x / scale + 0.5), low, high);
}
