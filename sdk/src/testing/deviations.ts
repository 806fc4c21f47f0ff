// How far an engine is from the float64 interpreter in every case of an op, all cases in one
// program: a look at a whole device in a minute. It judges nothing; lowering.ts does, case by case.
import type { Engine, Tensor } from '../engine.ts';
import { Graph, interpret, type Attributes, type NdArray } from '../graph/index.ts';
import { randomInputs } from './inputs.ts';
import { numbersOf, typedArray } from './numbers.ts';
import { buildOf, caseName, isDifferentiable, type OpCheck } from './op.ts';
import { trace, withGradients } from './program.ts';

/** How far one output of an op's cases is off. */
export interface Deviation {
  /** The case and the output. */
  readonly what: string;
  /**
   * Largest difference, in units of the output's largest number (at least 0.1); Infinity where
   * numbers are not finite that should be.
   */
  readonly size: number;
}

/**
 * The outputs of all cases of an op, most deviating first; with `gradients` also those of a
 * weighted sum of the results. Rejects where the engine fails.
 */
export async function opDeviations<A extends Attributes>(
  engine: Engine,
  check: OpCheck<A>,
  { gradients = false }: { readonly gradients?: boolean } = {},
): Promise<readonly Deviation[]> {
  const { graph, numbers } = casesOf(check, gradients);
  const expected = interpret(graph, numbers);
  const program = await engine.compile(graph, { name: `cases of ${check.op.name}` });
  const tensors: Record<string, Tensor> = {};
  try {
    for (const [input, { dtype, shape }] of graph.inputs) {
      tensors[input] = await engine.upload(typedArray(numbers[input]!.data, dtype), shape, dtype);
    }
    const results = await program.run(tensors);
    const deviations: Deviation[] = [];
    for (const [what, result] of Object.entries(results)) {
      const actual = numbersOf(await result.read(), result.dtype);
      deviations.push({ what, size: deviation(actual, expected[what]!.data) });
      result.dispose();
    }
    return deviations.sort((a, b) => b.size - a.size);
  } finally {
    Object.values(tensors).forEach((tensor) => tensor.dispose());
    await program.dispose();
  }
}

/** All cases side by side in one graph, with the numbers of their inputs. */
function casesOf<A extends Attributes>(
  check: OpCheck<A>,
  gradients: boolean,
): { readonly graph: Graph; readonly numbers: Record<string, NdArray> } {
  const { seed = 0, cases } = check;
  const graph = new Graph();
  const numbers: Record<string, NdArray> = {};
  const add = (testCase: OpCheck<A>['cases'][number], prefix: string, backward: boolean): void => {
    const traced = trace(buildOf(check, testCase, !backward), testCase.inputs, { graph, prefix });
    for (const [input, array] of Object.entries(randomInputs(testCase.inputs, seed))) {
      numbers[`${prefix}${input}`] = array;
    }
    if (backward) withGradients(traced, testCase.inputs, seed);
    else {
      traced.results.forEach((value, index) => {
        graph.output(`${prefix}output ${index}`, value);
      });
    }
  };
  cases.forEach((testCase, index) => {
    const name = `${caseName(check, testCase)} (${index + 1})`;
    add(testCase, `${name}: `, false);
    if (gradients && isDifferentiable(check, testCase)) {
      add(testCase, `${name}, with gradients: `, true);
    }
  });
  return { graph, numbers };
}

function deviation(actual: ArrayLike<number>, expected: Float64Array): number {
  let [largest, most] = [0.1, 0];
  expected.forEach((number, index) => {
    const found = actual[index]!;
    if (Object.is(found, number) || found === number) return;
    if (Number.isFinite(number)) largest = Math.max(largest, Math.abs(number));
    const apart = Math.abs(found - number);
    most = Math.max(most, Number.isNaN(apart) ? Infinity : apart);
  });
  return most / largest;
}
