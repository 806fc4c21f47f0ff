// Sums of gradients while they arrive. Gradients of adjacent pieces are concatenated, which is
// cheaper than padding and adding them.
import type { Value } from './graph.ts';
import { add, concat, pad, padOp } from './ops/index.ts';

/** A gradient that is zero outside a range of one axis: the gradient of a slice. */
interface Piece {
  readonly inner: Value;
  readonly whole: Value;
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

/** Gradients by value; those of several uses are added up. */
export class Accumulator {
  readonly #totals = new Map<Value, Value>();
  readonly #pieces = new Map<Value, Piece[]>();

  add(value: Value, gradient: Value): void {
    const piece = pieceOf(gradient);
    if (!piece) {
      this.#addWhole(value, gradient);
      return;
    }
    const pieces = this.#pieces.get(value);
    if (pieces) pieces.push(piece);
    else this.#pieces.set(value, [piece]);
  }

  /** The sum so far, or undefined where nothing arrived. */
  get(value: Value): Value | undefined {
    const pieces = this.#pieces.get(value);
    this.#pieces.delete(value);
    if (pieces) joined(pieces).forEach((gradient) => this.#addWhole(value, gradient));
    return this.#totals.get(value);
  }

  #addWhole(value: Value, gradient: Value): void {
    const sofar = this.#totals.get(value);
    this.#totals.set(value, sofar ? add(sofar, gradient) : gradient);
  }
}

function pieceOf(whole: Value): Piece | undefined {
  if (whole.source.kind !== 'node' || whole.source.node.op !== (padOp as unknown)) return undefined;
  const inner = whole.source.node.inputs[0]!;
  const before = whole.source.node.attributes.before as readonly number[];
  const axes = whole.shape
    .map((_, axis) => axis)
    .filter((axis) => inner.shape[axis] !== whole.shape[axis]);
  const [axis] = axes;
  return axis === undefined || axes.length > 1
    ? undefined
    : { inner, whole, axis, start: before[axis]!, end: before[axis]! + inner.shape[axis]! };
}

/**
 * Pieces that follow one another along one axis become one gradient; the others stay as they are.
 */
function joined(pieces: readonly Piece[]): Value[] {
  const sorted = [...pieces].sort((a, b) => a.axis - b.axis || a.start - b.start || a.end - b.end);
  const runs: Piece[][] = [];
  for (const piece of sorted) {
    const run = runs.find(
      (candidate) => candidate.at(-1)!.axis === piece.axis && candidate.at(-1)!.end === piece.start,
    );
    if (run) run.push(piece);
    else runs.push([piece]);
  }
  return runs.map(together);
}

function together(run: readonly Piece[]): Value {
  const [first, last] = [run[0]!, run.at(-1)!];
  if (run.length === 1) return first.whole;
  const { axis, whole } = first;
  const at = (size: number): number[] => whole.shape.map((_, other) => (other === axis ? size : 0));
  return pad(
    concat(
      run.map(({ inner }) => inner),
      axis,
    ),
    at(first.start),
    at(whole.shape[axis]! - last.end),
  );
}
