// Comparing arrays of numbers, with messages that name the element and both numbers.
import type { NdArray, Shape } from '../graph/index.ts';

/** Who gave the actual and the expected numbers: `['grad()', 'finite differences']`. */
export type Sides = readonly [string, string];

/** What two arrays of numbers are called in a message, and how far apart they may be. */
export interface Comparison {
  /** What the message starts with: op, case, value. */
  readonly what: string;
  readonly sides: Sides;
  /** Largest difference, in units of the largest expected number (at least `floor`). */
  readonly tolerance: number;
  /** Default 1. */
  readonly floor?: number;
}

/** Throws at the first element of `actual` that is not close to `expected`. */
export function compareArrays(
  actual: NdArray,
  expected: NdArray,
  { what, sides, tolerance, floor = 1 }: Comparison,
): void {
  if (actual.shape.join() !== expected.shape.join()) {
    throw new Error(
      `${what} is [${actual.shape.join(', ')}] by ${sides[0]}, [${expected.shape.join(', ')}] by ${sides[1]}`,
    );
  }
  if (actual.data.length !== expected.data.length) {
    throw new Error(
      `${what} has ${actual.data.length} numbers by ${sides[0]}, ${expected.data.length} by ${sides[1]}`,
    );
  }
  const largest = expected.data.reduce(
    (sofar, number) => (Number.isFinite(number) ? Math.max(sofar, Math.abs(number)) : sofar),
    floor,
  );
  expected.data.forEach((number, index) => {
    const message = difference(actual.data[index]!, number, tolerance * largest, sides);
    if (message) {
      throw new Error(
        `${what} [${actual.shape.join(', ')}]${place(index, actual.shape)}: ${message}`,
      );
    }
  });
}

/**
 * How two numbers differ, or undefined where they are close. Equal infinities are close; NaN is
 * close to NaN alone.
 */
export function difference(
  actual: number,
  expected: number,
  allowed: number,
  sides: Sides,
): string | undefined {
  const apart = Math.abs(actual - expected);
  if (apart <= allowed || actual === expected || (Number.isNaN(actual) && Number.isNaN(expected))) {
    return undefined;
  }
  const numbers = `${actual} by ${sides[0]}, ${expected} by ${sides[1]}`;
  return `${numbers} (difference ${apart.toExponential(1)}, allowed ${allowed.toExponential(1)})`;
}

/** ` at [1, 2]`: the position of an element, nothing for a scalar. */
export function place(index: number, shape: Shape): string {
  const position: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    position.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return position.length > 0 ? ` at [${position.join(', ')}]` : '';
}
