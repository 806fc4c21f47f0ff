// Checks of a single op over cases: evaluate() against decompose(), gradients against finite
// differences and the decomposition's.
import {
  applyOp,
  describe,
  Graph,
  interpret,
  isFloat,
  type Attributes,
  type NdArray,
  type OpDefinition,
} from '../graph/index.ts';
import { compareArrays } from './compare.ts';
import { checkGradient } from './gradient.ts';
import { differentiated, dtypeOf, randomInputs, type TestInputs } from './inputs.ts';
import { gradientName, rewritten, trace, withGradients, type Build } from './program.ts';

/** One use of an op. */
export interface OpCase<A extends Attributes = Attributes> {
  /** For messages, beside the inputs' types. */
  readonly name?: string;
  /** In the order the op takes them. */
  readonly inputs: TestInputs;
  /** Default none. */
  readonly attributes?: A;
  /** How the results are made, where it is not by applying the op once. */
  readonly build?: Build;
}

/** An op and its cases. */
export interface OpCheck<A extends Attributes = Attributes> {
  readonly op: OpDefinition<A>;
  readonly cases: readonly OpCase<A>[];
  /** Of gradients, as in checkGradient; default 1e-6. */
  readonly tolerance?: number;
  readonly seed?: number;
}

/**
 * Throws unless, in every case, results have the inferred types and are no NaN, evaluate() and
 * decompose() agree, gradients agree with finite differences, and the op's own gradient agrees with
 * the one through its decomposition. For an op of a plugin as well.
 */
export function checkOp<A extends Attributes>(check: OpCheck<A>): void {
  if (check.cases.length === 0) throw new Error(`op "${check.op.name}": there are no cases`);
  for (const testCase of check.cases) {
    const name = caseName(check, testCase);
    checkResults(check, testCase, name);
    if (isDifferentiable(check, testCase)) checkGradients(check, testCase, name);
  }
}

/** `op "gelu", case float32[2, 3]`: what messages about a case start with. */
export function caseName<A extends Attributes>(
  { op }: OpCheck<A>,
  { name, inputs }: OpCase<A>,
): string {
  const types = Object.values(inputs)
    .map((input) => describe({ dtype: dtypeOf(input), shape: input.shape }))
    .join(', ');
  return `op "${op.name}", case ${name ? `${name}: ` : ''}${types}`;
}

/**
 * How a case's results are built; with `every` also the outputs that are no results (kept for the
 * backward pass).
 */
export function buildOf<A extends Attributes>(
  { op }: OpCheck<A>,
  { attributes, build }: OpCase<A>,
  every: boolean,
): Build {
  if (build) return build;
  return (values) => {
    const outputs = applyOp(op, Object.values(values), attributes ?? ({} as A));
    return every ? outputs : outputs.slice(0, op.results ?? outputs.length);
  };
}

/** Whether a case has a float input to differentiate by and a float result. */
export function isDifferentiable<A extends Attributes>(
  check: OpCheck<A>,
  testCase: OpCase<A>,
): boolean {
  return (
    differentiated(testCase.inputs).length > 0 &&
    trace(buildOf(check, testCase, false), testCase.inputs).results.some(({ dtype }) =>
      isFloat(dtype),
    )
  );
}

function checkResults<A extends Attributes>(
  check: OpCheck<A>,
  testCase: OpCase<A>,
  name: string,
): void {
  const { op, seed = 0 } = check;
  const { graph, results } = trace(buildOf(check, testCase, true), testCase.inputs);
  if (!graph.nodes.some((node) => node.op.name === op.name)) {
    throw new Error(`${name}: the case does not apply the op`);
  }
  results.forEach((value, index) => graph.output(`output ${index}`, value));
  const numbers = randomInputs(testCase.inputs, seed);
  const arrays = interpret(graph, numbers);
  results.forEach((value, index) => {
    const { shape, data } = arrays[`output ${index}`]!;
    if (shape.join() !== value.shape.join() || data.length !== shape.reduce((a, b) => a * b, 1)) {
      throw new Error(
        `${name}: output ${index} is [${shape.join(', ')}] with ${data.length} numbers, by infer() ${describe(value)}`,
      );
    }
    if (data.some(Number.isNaN)) {
      throw new Error(
        `${name}: output ${index} has NaN at element ${data.findIndex(Number.isNaN)}`,
      );
    }
  });
  if (!op.decompose) return;
  checkDecomposedTypes(graph, op, name);
  if (op.evaluate) {
    compareAll(arrays, interpret(decomposed(graph, op), numbers), {
      name,
      sides: ['evaluate()', 'decompose()'],
      tolerance: 1e-9,
    });
  }
}

function checkDecomposedTypes<A extends Attributes>(
  graph: Graph,
  op: OpDefinition<A>,
  name: string,
): void {
  for (const node of graph.nodes.filter((candidate) => candidate.op.name === op.name)) {
    const inner = new Graph();
    const values = node.inputs.map((input, index) =>
      inner.input(String(index), input.dtype, input.shape),
    );
    const results = node.op.decompose!(values, node.attributes);
    node.outputs.forEach((output, index) => {
      const decomposed = results[index] ? describe(results[index]) : 'missing';
      if (decomposed !== describe(output)) {
        throw new Error(
          `${name}: output ${index} is ${decomposed} by decompose(), ${describe(output)} by infer()`,
        );
      }
    });
  }
}

function checkGradients<A extends Attributes>(
  check: OpCheck<A>,
  testCase: OpCase<A>,
  name: string,
): void {
  const { op, seed = 0, tolerance = 1e-6 } = check;
  checkGradient(buildOf(check, testCase, false), testCase.inputs, { name, seed, tolerance });
  if (op.results !== undefined) {
    checkGradient(buildOf(check, testCase, true), testCase.inputs, {
      name: `${name} (all outputs)`,
      seed,
      tolerance,
    });
  }
  if (!op.gradient || !op.decompose) return;
  const gradients = (through: (graph: Graph) => Graph): Record<string, NdArray> => {
    const { graph, results } = trace(buildOf(check, testCase, false), testCase.inputs);
    results.forEach((value, index) => graph.output(String(index), value));
    const copy = through(graph);
    const traced = {
      graph: copy,
      values: Object.fromEntries(copy.inputs),
      results: [...copy.outputs.values()],
    };
    withGradients(traced, testCase.inputs, seed);
    const arrays = interpret(copy, randomInputs(testCase.inputs, seed));
    return Object.fromEntries(
      differentiated(testCase.inputs).map((input) => [
        gradientName(input),
        arrays[gradientName(input)]!,
      ]),
    );
  };
  compareAll(
    gradients((graph) => graph),
    gradients((graph) => decomposed(graph, op)),
    { name, sides: ['gradient()', 'its decomposition'], tolerance },
  );
}

function compareAll(
  actual: Record<string, NdArray>,
  expected: Record<string, NdArray>,
  { name, sides, tolerance }: { name: string; sides: readonly [string, string]; tolerance: number },
): void {
  for (const [what, array] of Object.entries(actual)) {
    compareArrays(array, expected[what]!, { what: `${name}: ${what}`, sides, tolerance });
  }
}

/** The same program with the op known by its decomposition only. */
function decomposed<A extends Attributes>(graph: Graph, op: OpDefinition<A>): Graph {
  return rewritten(graph, (known) =>
    known.name === op.name
      ? { ...known, gradient: undefined, evaluate: undefined, results: undefined }
      : known,
  );
}
