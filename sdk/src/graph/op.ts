// How an op is defined and applied; what a definition holds is in graph.ts. A node holds its op's
// definition itself, so there is no registry and a plugin's op is like any other.
import { Graph, type OpDefinition, type Value } from './graph.ts';
import type { Attributes, ValueType } from './types.ts';
import { graphError } from './errors.ts';

/** An op as it is written: a composite may leave `infer` to its decomposition. */
export type OpSpec<A extends Attributes = Attributes> = Omit<OpDefinition<A>, 'infer'> &
  Partial<Pick<OpDefinition<A>, 'infer'>>;

/**
 * Checks an op's definition and gives it, with the types of its decomposition where it has no
 * `infer`: inputs that do not fit are then refused by the op inside that they do not fit.
 */
export function defineOp<A extends Attributes>(spec: OpSpec<A>): OpDefinition<A> {
  const { name, infer, evaluate, decompose, results } = spec;
  if (!evaluate && !decompose) throw graphError(name, 'an op needs evaluate() or decompose()');
  if (results !== undefined && !decompose) {
    throw graphError(name, 'an op with `results` needs decompose()');
  }
  if (infer) return { ...spec, infer };
  if (!decompose) throw graphError(name, 'an op without decompose() needs infer()');
  return { ...spec, infer: (types, attributes) => decomposedTypes(decompose, types, attributes) };
}

function decomposedTypes<A extends Attributes>(
  decompose: NonNullable<OpDefinition<A>['decompose']>,
  types: readonly ValueType[],
  attributes: A,
): readonly ValueType[] {
  const graph = new Graph();
  const inputs = types.map(({ dtype, shape }, index) => graph.input(String(index), dtype, shape));
  return decompose(inputs, attributes).map(({ dtype, shape }) => ({ dtype, shape }));
}

/** Applies an op to values of one graph; returns its outputs. */
export function applyOp<A extends Attributes>(
  op: OpDefinition<A>,
  inputs: readonly Value[],
  attributes: A,
): readonly Value[] {
  const graph = graphOf(op.name, inputs);
  return graph.append(op, inputs, attributes, op.infer(inputs, attributes)).outputs;
}

/** Applies an op with one output. */
export function applyOne<A extends Attributes>(
  op: OpDefinition<A>,
  inputs: readonly Value[],
  attributes: A,
): Value {
  return applyOp(op, inputs, attributes)[0]!;
}

function graphOf(name: string, inputs: readonly Value[]): Graph {
  const graph = inputs[0]?.graph;
  if (!graph) throw graphError(name, 'needs at least one input');
  if (inputs.some((input) => input.graph !== graph)) {
    throw graphError(name, 'its inputs belong to different graphs');
  }
  return graph;
}
