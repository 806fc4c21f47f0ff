// Builds the graph that is lowered: ops without a lowering are decomposed, no-ops and dead nodes
// removed. The caller's graph stays as it is.
import {
  Graph,
  isFloat,
  opNotSupported,
  sameShape,
  sizeOf,
  type DType,
  type Node,
  type Region,
  type Source,
  type Value,
  type WeightSource,
} from '@lmflow/sdk/graph';
import type { Lowerings } from './lowerings/lowering.ts';

/** A graph whose ops all have lowerings, with the origins of its nodes. */
export interface Flat {
  readonly graph: Graph;
  /** The nodes that some output needs, in order. */
  readonly nodes: readonly Node[];
  /**
   * Names that lead back to the caller's graph: a node's own, followed by those of the steps of its
   * decomposition.
   */
  readonly names: ReadonlyMap<Node, string>;
  /** The nodes of the caller's graph by these names. */
  readonly origins: ReadonlyMap<string, Origin>;
}

/** A node of the caller's graph, in messages and profiles. */
export interface Origin {
  readonly op: string;
  readonly region: string;
}

/** Finds the float32 version of a 16-bit weight, where there is one. */
export interface Widening {
  widened(weight: WeightSource): WeightSource | undefined;
}

/**
 * Flattens a graph; throws LMFLOW_OP_UNSUPPORTED for an op that has neither a lowering nor a
 * decomposition.
 */
export function flatten(source: Graph, lowerings: Lowerings, widening?: Widening): Flat {
  const flattening = new Flattening(lowerings, widening);
  for (const value of source.inputs.values()) flattening.copyOf(value);
  const live = liveFrom([...source.outputs.values()]);
  for (const node of source.nodes) if (live.has(node)) flattening.copy(node);
  const { graph, names, origins } = flattening;
  for (const [name, value] of source.outputs) graph.output(name, flattening.copyOf(value));
  const needed = liveFrom([...graph.outputs.values()]);
  return { graph, names, origins, nodes: graph.nodes.filter((node) => needed.has(node)) };
}

class Flattening {
  readonly graph = new Graph();
  readonly names = new Map<Node, string>();
  readonly origins = new Map<string, Origin>();
  readonly #copies = new Map<Value, Value>();
  readonly #lowerings: Lowerings;
  readonly #widening: Widening | undefined;
  #origin: Origin = { op: '', region: '' };

  constructor(lowerings: Lowerings, widening: Widening | undefined) {
    this.#lowerings = lowerings;
    this.#widening = widening;
  }

  copyOf(value: Value): Value {
    const known = this.#copies.get(value);
    if (known) return known;
    if (isWidenedAtRun(value)) return this.#widenAgain(value);
    const { source, dtype, shape } = value;
    if (source.kind === 'node') {
      throw new Error(`the node ${source.node.name} comes after its consumer`);
    }
    let copy: Value;
    if (source.kind === 'input') copy = this.graph.input(source.name, dtype, shape);
    else if (source.kind === 'weight') copy = this.graph.weight(source.name, source.weight);
    else copy = this.graph.constant(source.data, shape, dtype);
    this.#copies.set(value, copy);
    return copy;
  }

  /** Copies a node of the caller's graph. */
  copy(node: Node): void {
    this.#origin = originOf(node);
    this.#copyNode(node, node.name);
  }

  #copyNode(node: Node, name: string): void {
    const inputs = node.inputs.map((input) => this.copyOf(input));
    const same = unchanged(node, inputs) ?? this.#widened(node, inputs[0]!);
    if (!same && isWidenedAtRun(node.outputs[0]!)) return;
    if (same) this.#copies.set(node.outputs[0]!, same);
    else if (this.#lowerings.find(node)) this.#append(node, inputs, name);
    else this.#decompose(node, inputs, name);
  }

  #append(node: Node, inputs: readonly Value[], name: string): void {
    const copy = this.graph.append(node.op, inputs, node.attributes, node.outputs);
    this.names.set(copy, name);
    this.origins.set(name, this.#origin);
    node.outputs.forEach((output, index) => this.#copies.set(output, copy.outputs[index]!));
  }

  #decompose(node: Node, inputs: readonly Value[], name: string): void {
    if (!node.op.decompose) throw opNotSupported(node.op.name, node.name, 'engine-onnx');
    const inner = new Graph();
    const standIns = node.inputs.map((input, index) =>
      inner.input(String(index), input.dtype, input.shape),
    );
    const results = node.op.decompose(standIns, node.attributes);
    standIns.forEach((value, index) => this.#copies.set(value, inputs[index]!));
    for (const step of inner.nodes) this.#copyNode(step, `${name}/${step.name}`);
    node.outputs.forEach((output, index) => this.#copies.set(output, this.copyOf(results[index]!)));
  }

  // Each consumer gets another cast, so that no float32 copy lives from the forward to the backward
  // pass.
  #widenAgain({ source }: Value): Value {
    const { node } = source as Source & { kind: 'node' };
    const copy = this.graph.append(
      node.op,
      [this.copyOf(node.inputs[0]!)],
      node.attributes,
      node.outputs,
    );
    this.names.set(copy, node.name);
    this.origins.set(node.name, originOf(node));
    return copy.outputs[0]!;
  }

  /** A 16-bit weight's cast to float32 is the weight's float32 file. */
  #widened(node: Node, input: Value): Value | undefined {
    if (!isWidening(node) || input.source.kind !== 'weight') return undefined;
    const weight = this.#widening?.widened(input.source.weight);
    return weight && this.graph.weight(`${input.source.name} as float32`, weight);
  }
}

function originOf({ op, region }: Node): Origin {
  return { op: op.name, region: regionName(region) };
}

function regionName(region: Region | undefined): string {
  if (!region) return '';
  return region.parent ? `${regionName(region.parent)}/${region.name}` : region.name;
}

/** The cast of a 16-bit weight to float32. */
function isWidening({ op, attributes, inputs }: Node): boolean {
  const source = inputs[0]?.source;
  return (
    op.name === 'cast' &&
    (attributes as { dtype: DType }).dtype === 'float32' &&
    source?.kind === 'weight' &&
    isFloat(source.weight.dtype)
  );
}

function isWidenedAtRun({ source }: Value): boolean {
  return source.kind === 'node' && isWidening(source.node);
}

/** By op: the number that changes nothing. */
const NEUTRAL: Readonly<Record<string, number>> = { mul: 1, add: 0 };

/** The operand that a node returns unchanged: x * 1, x + 0. */
function unchanged(node: Node, inputs: readonly Value[]): Value | undefined {
  const [a, b] = inputs;
  const neutral = Object.hasOwn(NEUTRAL, node.op.name) ? NEUTRAL[node.op.name] : undefined;
  if (neutral === undefined) return undefined;
  const pairs = [
    [a!, b!],
    [b!, a!],
  ] as const;
  return pairs.find(
    ([x, other]) => scalarOf(other) === neutral && sameShape(x.shape, node.outputs[0]!.shape),
  )?.[0];
}

/** The number of a float32 constant with one element. */
export function scalarOf({ source, dtype, shape }: Value): number | undefined {
  return source.kind === 'constant' && dtype === 'float32' && sizeOf(shape) === 1
    ? Number(source.data[0])
    : undefined;
}

function liveFrom(values: readonly Value[]): Set<Node> {
  const live = new Set<Node>();
  const pending = [...values];
  for (let value = pending.pop(); value; value = pending.pop()) {
    if (value.source.kind !== 'node' || live.has(value.source.node)) continue;
    live.add(value.source.node);
    pending.push(...value.source.node.inputs);
  }
  return live;
}
