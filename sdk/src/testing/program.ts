// From a test's inputs and a building function to a program: traced, with a scalar loss, with
// gradients.
import { add, cast, Graph, grad, isFloat, mul, sizeOf, sum, type Value } from '../graph/index.ts';
import { randomStream } from '../random.ts';
import { differentiated, dtypeOf, type TestInputs } from './inputs.ts';

/**
 * Builds what is tested from values of the inputs. Called several times, so it must build the same
 * each time.
 */
export type Build = (
  inputs: Readonly<Record<string, Value>>,
  graph: Graph,
) => Value | readonly Value[];

/** A traced function: its graph, its inputs by name, and its results. */
export interface Traced {
  readonly graph: Graph;
  /** What names of its inputs and outputs begin with; nothing by default. */
  readonly prefix?: string;
  readonly values: Readonly<Record<string, Value>>;
  readonly results: readonly Value[];
}

/**
 * A graph with the inputs and what `build` makes of them; it has no outputs yet. Several can be
 * traced in one `graph`, each with a prefix of its own for names of inputs and outputs.
 */
export function trace(
  build: Build,
  inputs: TestInputs,
  { graph = new Graph(), prefix = '' }: { readonly graph?: Graph; readonly prefix?: string } = {},
): Traced {
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => [
      name,
      graph.input(`${prefix}${name}`, dtypeOf(input), input.shape),
    ]),
  );
  const built = build(values, graph);
  return { graph, prefix, values, results: 'length' in built ? built : [built] };
}

/** Name of the output with an input's gradient. */
export const gradientName = (input: string): string => `gradient of "${input}"`;

/**
 * Adds the outputs `loss`, a randomly weighted sum of the float results, and its gradient by every
 * differentiated input.
 */
export function withGradients(traced: Traced, inputs: TestInputs, seed: number): void {
  const { graph, values, prefix = '' } = traced;
  const loss = withLoss(traced, seed);
  const names = differentiated(inputs);
  grad(
    loss,
    names.map((name) => values[name]!),
  ).forEach((gradient, index) => graph.output(`${prefix}${gradientName(names[index]!)}`, gradient));
}

/**
 * Adds the output `loss`. Its weights have both signs and keep away from 0, so that no element's
 * gradient is lost.
 */
export function withLoss({ graph, results, prefix = '' }: Traced, seed: number): Value {
  const terms = results
    .filter(({ dtype }) => isFloat(dtype))
    .map((result, index) => {
      const stream = randomStream(seed, 'test-weight', index);
      const weights = Float32Array.from(
        { length: sizeOf(result.shape) },
        (_, at) => (stream.bits(2 * at) & 1 ? 1 : -1) * (0.5 + stream.uniform(2 * at + 1)),
      );
      return sum(mul(cast(result, 'float32'), graph.constant(weights, result.shape, 'float32')));
    });
  if (terms.length === 0) {
    throw new Error('none of the results is a float, so there is nothing to differentiate');
  }
  const loss = terms.reduce((total, term) => add(total, term));
  graph.output(`${prefix}loss`, loss);
  return loss;
}

/** The same program with the results of `replace` instead of some ops. */
export function rewritten(
  source: Graph,
  replace: (op: Graph['nodes'][number]['op']) => Graph['nodes'][number]['op'],
): Graph {
  const graph = new Graph();
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => {
    const known = copies.get(value) ?? leaf(graph, value);
    copies.set(value, known);
    return known;
  };
  source.inputs.forEach(copyOf);
  for (const node of source.nodes) {
    const twin = graph.append(
      replace(node.op),
      node.inputs.map(copyOf),
      node.attributes,
      node.outputs,
    );
    node.outputs.forEach((output, index) => copies.set(output, twin.outputs[index]!));
  }
  for (const [name, value] of source.outputs) graph.output(name, copyOf(value));
  return graph;
}

function leaf(graph: Graph, { source, dtype, shape }: Value): Value {
  switch (source.kind) {
    case 'input':
      return graph.input(source.name, dtype, shape);
    case 'constant':
      return graph.constant(source.data, shape, dtype);
    case 'weight':
      return graph.weight(source.name, source.weight);
    case 'node':
      throw new Error(`${source.node.name} comes after its consumer`);
  }
}
