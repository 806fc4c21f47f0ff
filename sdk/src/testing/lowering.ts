// Compares an engine with the float64 interpreter: a whole graph, or every case of an op with its
// gradients.
import type { Engine, Tensor } from '../engine.ts';
import {
  interpret,
  ndarray,
  type Attributes,
  type Graph,
  type InterpretOptions,
  type NdArray,
} from '../graph/index.ts';
import { compareArrays } from './compare.ts';
import { randomInputs } from './inputs.ts';
import { numbersOf, typedArray } from './numbers.ts';
import { buildOf, caseName, isDifferentiable, type OpCheck } from './op.ts';
import { trace, withGradients } from './program.ts';

/** Name and tolerance of `checkLowering`. */
export interface LoweringOptions extends InterpretOptions {
  /** What messages start with; default the engine's name. */
  readonly name?: string;
  /**
   * Largest difference, in units of the output's largest number (at least 0.1); default 1e-5, about
   * what float32 gives.
   */
  readonly tolerance?: number;
}

/**
 * Runs a graph on an engine and on the interpreter; throws where an output differs. `inputs` has
 * numbers for every input of the graph.
 */
export async function checkLowering(
  engine: Engine,
  graph: Graph,
  inputs: Readonly<Record<string, NdArray>>,
  options: LoweringOptions = {},
): Promise<void> {
  const { name = `engine "${engine.name}"`, tolerance = 1e-5 } = options;
  const expected = interpret(graph, inputs, options);
  const program = await engine.compile(graph, { name });
  const tensors: Record<string, Tensor> = {};
  try {
    for (const [input, { dtype, shape }] of graph.inputs) {
      tensors[input] = await engine.upload(typedArray(inputs[input]!.data, dtype), shape, dtype);
    }
    const results = await program.run(tensors);
    for (const [output, value] of graph.outputs) {
      const what = `${name}: output "${output}"`;
      const result = results[output];
      if (!result) throw new Error(`${what} is missing`);
      if (result.dtype !== value.dtype) {
        throw new Error(
          `${what} is ${result.dtype} by ${engine.name}, ${value.dtype} in the graph`,
        );
      }
      const actual = ndarray(result.shape, numbersOf(await result.read(), result.dtype));
      compareArrays(actual, expected[output]!, {
        what,
        sides: [engine.name, 'the interpreter'],
        tolerance,
        floor: 0.1,
      });
    }
    Object.values(results).forEach((tensor) => tensor.dispose());
  } finally {
    Object.values(tensors).forEach((tensor) => tensor.dispose());
    await program.dispose();
  }
}

/**
 * Compares an engine with the interpreter on every case of an op: all its outputs, then its results
 * with the gradients of the inputs.
 */
export async function checkOpLowering<A extends Attributes>(
  engine: Engine,
  check: OpCheck<A>,
  options: LoweringOptions = {},
): Promise<void> {
  const { seed = 0, cases } = check;
  for (const testCase of cases) {
    const [name, numbers] = [caseName(check, testCase), randomInputs(testCase.inputs, seed)];
    const forward = trace(buildOf(check, testCase, true), testCase.inputs);
    forward.results.forEach((value, index) => forward.graph.output(String(index), value));
    await checkLowering(engine, forward.graph, numbers, { ...options, name });
    if (!isDifferentiable(check, testCase)) continue;
    const backward = trace(buildOf(check, testCase, false), testCase.inputs);
    withGradients(backward, testCase.inputs, seed);
    await checkLowering(engine, backward.graph, numbers, {
      ...options,
      name: `${name}, with gradients`,
    });
  }
}
