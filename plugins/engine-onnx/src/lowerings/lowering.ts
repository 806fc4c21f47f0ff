// The type of a lowering, which writes the ONNX nodes of one node of the graph. The table by op
// name is in index.ts.
import type { Attributes, Node } from '@lmflow/sdk/graph';
import type { Emitter } from '../onnx/emitter.ts';

/** Emits ONNX nodes for `node` and sets a tensor for each of its used outputs. */
export type Lowering<A extends Attributes = Attributes> = (emit: Emitter, node: Node<A>) => void;

/** Lowerings by op name; an op without one is decomposed. */
export interface Lowerings {
  /** The lowering of a node, or undefined if the node must be decomposed. */
  find(node: Node): Lowering | undefined;
}

/**
 * A row of the table: a lowering, and where it does not fit every node or device, those it fits.
 */
export interface LoweringEntry<A extends Attributes = Attributes> {
  readonly lower: Lowering<A>;
  readonly fits?: (node: Node<A>) => boolean;
  /** The devices that it supports; absent for all. */
  readonly devices?: readonly string[];
}

/** Hides an entry's attribute type, so that entries of different ops share a table. */
export function entry<A extends Attributes>(
  lower: Lowering<A>,
  fits?: (node: Node<A>) => boolean,
  devices?: readonly string[],
): LoweringEntry {
  return { lower, ...(fits && { fits }), ...(devices && { devices }) } as unknown as LoweringEntry;
}
