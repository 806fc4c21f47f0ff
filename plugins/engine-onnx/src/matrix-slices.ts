// Slices that cut a matrix into parts side by side, as products of joined weights are cut. Where
// they are recognised: fusions.ts.
import type { Node, Value } from '@lmflow/sdk/graph';
import type { Lowering } from './lowerings/lowering.ts';

/** Columns from .. to - 1 of a matrix. */
export interface Cut {
  readonly of: Value;
  readonly from: number;
  readonly to: number;
}

/** What a node cuts out, if it is a slice of whole columns of a matrix. */
export function cutOf({ op, inputs, attributes }: Node): Cut | undefined {
  if (op.name !== 'slice' || inputs[0]!.shape.length !== 2) return undefined;
  const { starts, ends } = attributes as {
    readonly starts: readonly number[];
    readonly ends: readonly number[];
  };
  return starts[0] === 0 && ends[0] === inputs[0]!.shape[0]
    ? { of: inputs[0]!, from: starts[1]!, to: ends[1]! }
    : undefined;
}

/** Whether cuts are all of one matrix, in this order. */
export function isWhole(cuts: readonly Cut[]): boolean {
  const [first] = cuts;
  return (
    first !== undefined &&
    cuts.every(
      ({ of, from, to }, index) =>
        of === first.of && from === (cuts[index - 1]?.to ?? 0) && to > from,
    ) &&
    cuts.at(-1)!.to === first.of.shape[1]
  );
}

/** Groups of slices that are all of one matrix of at most `rows` rows. */
export function wholeCuts(nodes: readonly Node[], rows: number): Node[][] {
  const groups = new Map<Value, { readonly node: Node; readonly cut: Cut }[]>();
  for (const node of nodes) {
    const cut = cutOf(node);
    if (cut && cut.of.shape[0]! <= rows) {
      groups.set(cut.of, [...(groups.get(cut.of) ?? []), { node, cut }]);
    }
  }
  return [...groups.values()]
    .map((group) => group.sort((a, b) => a.cut.from - b.cut.from))
    .filter((group) => group.length > 1 && isWhole(group.map(({ cut }) => cut)))
    .map((group) => group.map(({ node }) => node));
}

/** Cuts a matrix by one node. */
export function splitting(slices: readonly Node[]): Lowering {
  const widths = slices.map(({ outputs }) => outputs[0]!.shape[1]!);
  return (emit) => {
    const parts = emit.nodeWithOutputs(
      'Split',
      [emit.tensor(slices[0]!.inputs[0]!), emit.ints(widths)],
      slices.length,
      { attributes: { axis: 1 } },
    );
    slices.forEach(({ outputs }, index) => {
      emit.set(outputs[0]!, parts[index]!);
    });
  };
}
