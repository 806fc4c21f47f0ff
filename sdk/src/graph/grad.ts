// Reverse-mode differentiation of a tensor program: appends the backward nodes to the same graph.
import type { Node, Region, Value } from './graph.ts';
import { applyOp } from './op.ts';
import { add, mul, slice, sum, broadcastTo, reshape } from './ops/index.ts';
import { isFloat, sizeOf } from './types.ts';
import { graphError, opHasNoGradient } from './errors.ts';

/**
 * Gradients of a scalar `loss` with respect to `parameters` (any values of its graph), appended to the graph.
 * A region marked `recompute` is computed again from its inputs in the backward pass (Chen et al. 2016).
 * Throws LMFLOW_GRADIENT_MISSING where an op on the way has no gradient. A parameter the loss does not depend on gets zeros.
 */
export function grad(loss: Value, parameters: readonly Value[]): Value[] {
  const { graph } = loss;
  if (sizeOf(loss.shape) !== 1) throw graphError('grad', `the loss must be a scalar, not [${loss.shape.join(', ')}]`);
  const forward = [...graph.nodes];
  const needed = dependents(forward, parameters);
  const gradients = new Map<Value, Value>();
  gradients.set(loss, broadcastTo(graph.scalar(1), loss.shape));
  const recomputed = new Recomputation(forward);

  backpropagate(forward, gradients, needed, (node, arriving) => recomputed.twin(node, arriving));
  return parameters.map((parameter) => gradients.get(parameter) ?? broadcastTo(graph.scalar(0), parameter.shape));
}

type Twin = (node: Node, outputGradients: readonly (Value | undefined)[]) => Node;

/** Visits `nodes` in reverse and adds to `gradients` those of every needed value, beside the region of its forward node. */
function backpropagate(nodes: readonly Node[], gradients: Map<Value, Value>, needed: ReadonlySet<Value>, twin: Twin): void {
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index]!;
    const arriving = node.outputs.map((output) => gradients.get(output));
    const wanted = node.inputs.map((input) => needed.has(input));
    if (!wanted.includes(true) || arriving.every((gradient) => gradient === undefined)) continue;
    node.inputs[0]!.graph.within(node.region, () => {
      gradientOf(twin(node, arriving), arriving, wanted).forEach((gradient, position) => {
        const input = node.inputs[position]!;
        if (!gradient || !wanted[position]) return;
        const sofar = gradients.get(input);
        gradients.set(input, sofar ? add(sofar, gradient) : gradient);
      });
    });
  }
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

function gradientOf(node: Node, outputGradients: readonly (Value | undefined)[], wanted: readonly boolean[]): readonly (Value | undefined)[] {
  if (node.op.gradient) return node.op.gradient(node, outputGradients, wanted);
  if (!node.op.decompose) throw opHasNoGradient(node.op.name, node.name);
  return throughDecomposition(node, outputGradients, wanted);
}

/** Differentiates a composite through its decomposition, whose forward nodes are built once more beside the gradient. */
function throughDecomposition(node: Node, outputGradients: readonly (Value | undefined)[], wanted: readonly boolean[]): (Value | undefined)[] {
  const { graph } = node.inputs[0]!;
  const start = graph.nodes.length;
  const outputs = node.op.decompose!(node.inputs, node.attributes);
  const inner = graph.nodes.slice(start);
  const targets = node.inputs.filter((_, position) => wanted[position]);
  const gradients = new Map<Value, Value>();
  outputs.forEach((output, index) => {
    const gradient = outputGradients[index];
    const sofar = gradients.get(output);
    if (gradient) gradients.set(output, sofar ? add(sofar, gradient) : gradient);
  });
  backpropagate(inner, gradients, dependents(inner, targets), (step) => step);
  return node.inputs.map((input, position) => (wanted[position] ? gradients.get(input) : undefined));
}

/** Builds the nodes of recomputed regions a second time, on demand. */
class Recomputation {
  readonly #values = new Map<Region, Map<Value, Value>>();
  readonly #members = new Map<Region, Node[]>();

  constructor(nodes: readonly Node[]) {
    for (const node of nodes) {
      const region = recomputedRegion(node.region);
      if (!region) continue;
      const members = this.#members.get(region);
      if (members) members.push(node); else this.#members.set(region, [node]);
    }
  }

  /** The node itself, or its second computation where its region is recomputed. */
  twin(node: Node, outputGradients: readonly (Value | undefined)[]): Node {
    const region = recomputedRegion(node.region);
    if (!region) return node;
    const copies = this.#values.get(region) ?? this.#rebuild(region, outputGradients.find((gradient) => gradient !== undefined)!);
    return { ...node, inputs: node.inputs.map((input) => copies.get(input) ?? input), outputs: node.outputs.map((output) => copies.get(output) ?? output) };
  }

  // The copy of an input depends on the incoming gradient (plus zero times one element of it), or an engine's elimination of
  // common subexpressions would merge the second computation with the first and nothing would be saved.
  #rebuild(region: Region, gradient: Value): Map<Value, Value> {
    const copies = new Map<Value, Value>();
    this.#values.set(region, copies);
    const members = this.#members.get(region)!;
    const inner = new Set(members.flatMap((member) => member.outputs));
    const nothing = mul(sum(reshape(slice(gradient, gradient.shape.map(() => 0), gradient.shape.map(() => 1)), [1])), 0);
    for (const member of members) {
      for (const input of member.inputs) {
        if (inner.has(input) || copies.has(input) || input.source.kind !== 'node' || !isFloat(input.dtype)) continue;
        copies.set(input, add(input, nothing));
      }
    }
    for (const member of members) {
      const outputs = applyOp(member.op, member.inputs.map((input) => copies.get(input) ?? input), member.attributes);
      member.outputs.forEach((output, index) => copies.set(output, outputs[index]!));
    }
    return copies;
  }
}

function recomputedRegion(region: Region | undefined): Region | undefined {
  for (let current = region; current; current = current.parent) if (current.recompute) return current;
  return undefined;
}
