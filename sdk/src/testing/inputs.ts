// Deterministic random inputs and shapes for tests of ops. Every draw comes from randomStream, so a
// failure can be made again.
import { ndarray, isFloat, sizeOf, type DType, type NdArray, type Shape } from '../graph/index.ts';
import { randomStream, type RandomStream } from '../random.ts';

/** An input of a test: its type and where its numbers come from. */
export interface TestInput {
  readonly shape: Shape;
  /** Default float32. */
  readonly dtype?: DType;
  /**
   * Lowest and highest number; default -1 .. 1 for floats, 0 .. 3 for integers (both included), 0
   * or 1 for bool.
   */
  readonly range?: readonly [number, number];
  /** The numbers themselves, row-major, instead of random ones. */
  readonly values?: ArrayLike<number>;
  /** Whether gradients are checked for it; default: for floats. */
  readonly differentiate?: boolean;
}

/** Test inputs by their name in the graph. */
export type TestInputs = Readonly<Record<string, TestInput>>;

/** Element type of a test input. */
export function dtypeOf({ dtype = 'float32' }: TestInput): DType {
  return dtype;
}

/** Names of the inputs that gradients are checked for. */
export function differentiated(inputs: TestInputs): string[] {
  return Object.keys(inputs).filter(
    (name) => inputs[name]!.differentiate ?? isFloat(dtypeOf(inputs[name]!)),
  );
}

/**
 * Random numbers for every input, equal for equal `seed` and names. Floats are rounded to float32,
 * so that engines can be fed the same.
 */
export function randomInputs(inputs: TestInputs, seed = 0): Record<string, NdArray> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => [
      name,
      numbersOf(input, randomStream(seed, 'test-input', name)),
    ]),
  );
}

function numbersOf(input: TestInput, stream: RandomStream): NdArray {
  if (input.values) return ndarray(input.shape, input.values);
  const float = isFloat(dtypeOf(input));
  const [low, high] = input.range ?? (float ? [-1, 1] : [0, input.dtype === 'bool' ? 1 : 3]);
  const numbers = Float64Array.from({ length: sizeOf(input.shape) }, (_, index) => {
    const uniform = stream.uniform(index);
    return float
      ? Math.fround(low + uniform * (high - low))
      : low + Math.floor(uniform * (high - low + 1));
  });
  return ndarray(input.shape, numbers);
}

/** Random choices, one after the other. */
export interface Draw {
  /** A whole number, both ends included. */
  size(low: number, high: number): number;
  /** A shape of sizes 1 .. largest (default 4). */
  shape(rank: number, largest?: number): Shape;
  /** A shape that broadcasts to `shape`: some leading axes left out, some others of size 1. */
  narrower(shape: Shape): Shape;
  permutation(length: number): number[];
}

/** The draws for a seed and a purpose; the same ones every time. */
export function draws(seed: number, ...purpose: readonly (string | number)[]): Draw {
  const stream = randomStream(seed, 'test-draw', ...purpose);
  let count = 0;
  const size = (low: number, high: number): number =>
    low + Math.floor(stream.uniform(count++) * (high - low + 1));
  return {
    size,
    shape: (rank, largest = 4) => Array.from({ length: rank }, () => size(1, largest)),
    narrower: (shape) =>
      shape.slice(size(0, shape.length)).map((length) => (size(0, 2) === 0 ? 1 : length)),
    permutation: (length) => [
      ...randomStream(seed, 'test-permutation', ...purpose, count++).permutation(length),
    ],
  };
}
