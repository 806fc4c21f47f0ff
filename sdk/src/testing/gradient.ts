// Checks grad() against central finite differences, in float64 through the interpreter.
import { interpret, type NdArray } from '../graph/index.ts';
import { randomStream } from '../random.ts';
import { difference, place } from './compare.ts';
import { differentiated, randomInputs, type TestInputs } from './inputs.ts';
import { gradientName, trace, withGradients, withLoss, type Build } from './program.ts';

/** Name, seed and tolerances of `checkGradient`. */
export interface GradientOptions {
  /** What messages start with; default `checkGradient`. */
  readonly name?: string;
  readonly seed?: number;
  /**
   * Largest difference, in units of the largest number of the input's gradient (at least 1);
   * default 1e-6.
   */
  readonly tolerance?: number;
  /** Elements of each input that are checked, chosen at random where it has more; default 32. */
  readonly elements?: number;
}

/**
 * Throws where the gradient of a randomly weighted sum of `build`'s float results differs from
 * finite differences, for any float input. The inputs' ranges must keep away from points where the
 * function has a kink or a jump.
 */
export function checkGradient(
  build: Build,
  inputs: TestInputs,
  options: GradientOptions = {},
): void {
  const { name = 'checkGradient', seed = 0, tolerance = 1e-6, elements = 32 } = options;
  const numbers = randomInputs(inputs, seed);
  const forward = trace(build, inputs);
  withLoss(forward, seed);
  const lossOf = (changed: Record<string, NdArray>): number =>
    interpret(forward.graph, changed).loss!.data[0]!;
  const backward = trace(build, inputs);
  withGradients(backward, inputs, seed);
  const results = interpret(backward.graph, numbers);

  for (const input of differentiated(inputs)) {
    const { shape, data } = results[gradientName(input)]!;
    const indices = [
      ...randomStream(seed, 'test-elements', input).permutation(data.length).subarray(0, elements),
    ];
    const slopes = indices.map((index) => slope(lossOf, numbers, input, index));
    const allowed =
      tolerance * slopes.reduce((sofar, number) => Math.max(sofar, Math.abs(number)), 1);
    indices.forEach((index, order) => {
      const message = difference(data[index]!, slopes[order]!, allowed, [
        'grad()',
        'finite differences',
      ]);
      if (message) {
        throw new Error(
          `${name}: ${gradientName(input)} [${shape.join(', ')}]${place(index, shape)}: ${message}`,
        );
      }
    });
  }
}

// The cube root of the machine's precision balances the differences' own error (h^2) and rounding
// (1 / h).
function slope(
  lossOf: (inputs: Record<string, NdArray>) => number,
  numbers: Record<string, NdArray>,
  input: string,
  index: number,
): number {
  const { shape, data } = numbers[input]!;
  const step = Math.cbrt(Number.EPSILON) * Math.max(1, Math.abs(data[index]!));
  const moved = (change: number): { at: number; loss: number } => {
    const changed = Float64Array.from(data);
    changed[index]! += change;
    return { at: changed[index]!, loss: lossOf({ ...numbers, [input]: { shape, data: changed } }) };
  };
  const [below, above] = [moved(-step), moved(step)];
  return (above.loss - below.loss) / (above.at - below.at);
}
