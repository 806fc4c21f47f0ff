// Checkpointing (Chen et al. 2016): builds the nodes of regions marked `recompute` a second time
// for the backward pass.
import type { Node, Region, Value } from './graph.ts';
import { applyOp } from './op.ts';
import { add, cast, mul, reshape, slice } from './ops/index.ts';
import { isFloat } from './types.ts';

/** The second computation of every recomputed region, built on demand. */
export class Recomputation {
  readonly #copies = new Map<Region, Map<Value, Value>>();
  readonly #parameters: ReadonlySet<Value>;
  readonly #members = new Map<Region, Node[]>();

  constructor(nodes: readonly Node[], parameters: ReadonlySet<Value>) {
    this.#parameters = parameters;
    for (const node of nodes) {
      const region = recomputedRegion(node.region);
      if (!region) continue;
      const members = this.#members.get(region);
      if (members) members.push(node);
      else this.#members.set(region, [node]);
    }
  }

  /** The node itself, or its second computation where its region is recomputed. */
  twin(node: Node, outputGradients: readonly (Value | undefined)[]): Node {
    const region = recomputedRegion(node.region);
    if (!region) return node;
    const copies =
      this.#copies.get(region) ??
      this.#rebuild(
        region,
        outputGradients.find((gradient) => gradient !== undefined)!,
      );
    return {
      ...node,
      inputs: node.inputs.map((input) => copies.get(input) ?? input),
      outputs: node.outputs.map((output) => copies.get(output) ?? output),
    };
  }

  // The copy of an input depends on the incoming gradient (plus zero times one element of it).
  // Otherwise an engine that merges common subexpressions would merge the second computation with
  // the first, and no memory would be saved. Weights, parameters and integers are not copied: a copy
  // would cost a pass over all of them, and what depends on them alone (masks, rotary tables) is
  // mostly shared by all regions and better kept.
  #rebuild(region: Region, gradient: Value): Map<Value, Value> {
    const copies = new Map<Value, Value>();
    this.#copies.set(region, copies);
    const members = this.#members.get(region)!;
    const inner = new Set(members.flatMap((member) => member.outputs));
    const { graph } = gradient;
    graph.within(region, () => {
      const element = slice(
        gradient,
        gradient.shape.map(() => 0),
        gradient.shape.map(() => 1),
      );
      const nothing = mul(reshape(element, []), 0);
      for (const input of members.flatMap((member) => member.inputs)) {
        if (!inner.has(input) && !copies.has(input) && this.#carriesData(input)) {
          copies.set(input, add(input, cast(nothing, input.dtype)));
        }
      }
    });
    for (const member of members) {
      const outputs = graph.within(member.region, () =>
        applyOp(
          member.op,
          member.inputs.map((input) => copies.get(input) ?? input),
          member.attributes,
        ),
      );
      member.outputs.forEach((output, index) => copies.set(output, outputs[index]!));
    }
    return copies;
  }

  #carriesData(value: Value): boolean {
    return (
      isFloat(value.dtype) &&
      (value.source.kind === 'node' ||
        (value.source.kind === 'input' && !this.#parameters.has(value)))
    );
  }
}

/** The outermost recomputed region: one inside another is recomputed with it. */
function recomputedRegion(region: Region | undefined): Region | undefined {
  let found: Region | undefined;
  for (let current = region; current; current = current.parent) {
    if (current.recompute) found = current;
  }
  return found;
}
