// Reverse-mode differentiation of a tensor program: appends the backward nodes to the same graph.
// Recomputation is in recompute.ts.
import type { Node, Value } from './graph.ts';
import { broadcastTo, cast } from './ops/index.ts';
import { describe, isFloat, sizeOf } from './types.ts';
import { gradientDoesNotFit, graphError, opHasNoGradient } from './errors.ts';
import { Accumulator } from './accumulate.ts';
import { Recomputation } from './recompute.ts';

/**
 * Gradients of a scalar `loss` with respect to `parameters` (any values of its graph), appended to
 * the graph. A region marked `recompute` is computed again from its inputs in the backward pass
 * (Chen et al. 2016); regions inside it with it. Throws LMFLOW_GRADIENT_MISSING where an op on the
 * way has no gradient. A parameter the loss does not depend on gets zeros.
 */
export function grad(loss: Value, parameters: readonly Value[]): Value[] {
  return gradients(loss, parameters).map(
    (gradient, index) => gradient ?? filled(parameters[index]!, 0),
  );
}

/** Like `grad`, with undefined for a parameter that no gradient reaches. */
export function gradients(loss: Value, parameters: readonly Value[]): (Value | undefined)[] {
  const { graph } = loss;
  if (sizeOf(loss.shape) !== 1) {
    throw graphError('grad', `the loss must be a scalar, not [${loss.shape.join(', ')}]`);
  }
  for (const value of [loss, ...parameters]) {
    if (value.graph !== graph) {
      throw graphError('grad', 'a parameter belongs to another graph than the loss');
    }
    if (!isFloat(value.dtype)) {
      throw graphError('grad', `a value of ${describe(value)} has no gradient; only floats have`);
    }
  }
  const forward = ancestors(loss);
  const arrived = new Accumulator();
  arrived.add(loss, filled(loss, 1));
  const recomputed = new Recomputation(forward, new Set(parameters));

  backpropagate(forward, arrived, dependents(forward, parameters), (node, arriving) =>
    recomputed.twin(node, arriving),
  );
  return parameters.map((parameter) => arrived.get(parameter));
}

function filled({ graph, dtype, shape }: Value, number: number): Value {
  return broadcastTo(cast(graph.scalar(number), dtype), shape);
}

type Twin = (node: Node, outputGradients: readonly (Value | undefined)[]) => Node;

/**
 * Visits `nodes` in reverse and adds to `gradients` those of every needed value, beside the region
 * of its forward node.
 */
function backpropagate(
  nodes: readonly Node[],
  gradients: Accumulator,
  needed: ReadonlySet<Value>,
  twin: Twin,
): void {
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index]!;
    const wanted = node.inputs.map((input) => needed.has(input));
    if (!wanted.includes(true)) continue;
    node.outputs[0]!.graph.within(node.region, () => {
      const arriving = node.outputs.map((output) => gradients.get(output));
      if (arriving.every((gradient) => gradient === undefined)) return;
      gradientOf(twin(node, arriving), arriving, wanted).forEach((gradient, position) => {
        const input = node.inputs[position]!;
        if (!gradient || !wanted[position]) return;
        if (describe(gradient) !== describe(input)) {
          throw gradientDoesNotFit(node.op.name, node.name, position, input, gradient);
        }
        gradients.add(input, gradient);
      });
    });
  }
}

/** The nodes that `value` is computed from, in the order they were built. */
function ancestors(value: Value): Node[] {
  const found = new Set<Node>();
  const pending = [value];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (next.source.kind !== 'node' || found.has(next.source.node)) continue;
    found.add(next.source.node);
    pending.push(...next.source.node.inputs);
  }
  return value.graph.nodes.filter((node) => found.has(node));
}

/** Every float value that depends on one of the parameters. */
function dependents(nodes: readonly Node[], parameters: readonly Value[]): Set<Value> {
  const reached = new Set(parameters);
  for (const node of nodes) {
    if (!node.inputs.some((input) => reached.has(input))) continue;
    for (const output of node.outputs) if (isFloat(output.dtype)) reached.add(output);
  }
  return reached;
}

function gradientOf(
  node: Node,
  outputGradients: readonly (Value | undefined)[],
  wanted: readonly boolean[],
): readonly (Value | undefined)[] {
  const { op } = node;
  const results = op.results ?? node.outputs.length;
  const beyondResults = outputGradients.some(
    (arriving, index) => arriving !== undefined && index >= results,
  );
  if (op.gradient && !beyondResults) return op.gradient(node, outputGradients, wanted);
  if (!op.decompose) throw opHasNoGradient(op.name, node.name);
  return throughDecomposition(node, outputGradients, wanted);
}

/**
 * Differentiates a composite through its decomposition, whose forward nodes are built once more
 * beside the gradient.
 */
function throughDecomposition(
  node: Node,
  outputGradients: readonly (Value | undefined)[],
  wanted: readonly boolean[],
): (Value | undefined)[] {
  const { graph } = node.inputs[0]!;
  const start = graph.nodes.length;
  const outputs = node.op.decompose!(node.inputs, node.attributes);
  const inner = graph.nodes.slice(start);
  const targets = node.inputs.filter((_, position) => wanted[position]);
  const gradients = new Accumulator();
  outputs.forEach((output, index) => {
    const gradient = outputGradients[index];
    if (gradient) gradients.add(output, gradient);
  });
  backpropagate(inner, gradients, dependents(inner, targets), (step) => step);
  // An input that is passed twice has one gradient, which counts once.
  return node.inputs.map((input, position) =>
    wanted[position] && node.inputs.indexOf(input) === position ? gradients.get(input) : undefined,
  );
}
