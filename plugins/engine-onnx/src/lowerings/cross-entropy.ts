// Lowers linear cross-entropy in chunks: logits exist for `chunk` rows at a time. On the CPU chunks
// have labelled rows only. Their number is known only at run time, so the number of chunks is
// static and the last ones may be short or empty: the cost depends on the labelled rows. Kernels of
// other devices refuse tensors without rows, so chunks have all rows there, and rows without a
// label have weight 0.
import type { LinearCrossEntropyAttributes, Node, Value } from '@lmflow/sdk/graph';
import { ELEMENT_TYPES } from '../onnx/schema.ts';
import type { Emitter } from '../onnx/emitter.ts';
import { emitScatter, emitZeros, type Scatter } from './gather.ts';
import { entry, type LoweringEntry } from './lowering.ts';

interface Head {
  readonly hidden: string;
  readonly weight: string;
  readonly labels: string;
  readonly byHidden: boolean;
  readonly byWeight: boolean;
  /** 1 for each row with a label, 0 for the others; undefined if all rows of chunks have labels. */
  readonly counts: string | undefined;
}

/**
 * The lowering of `linearCrossEntropy`: a loop over chunks of the labelled rows, gradients
 * included.
 */
export const crossEntropy: Readonly<Record<string, LoweringEntry>> = {
  linearCrossEntropy: entry<LinearCrossEntropyAttributes>(
    (emit, node) => {
      const own = emitCrossEntropy(emit, node);
      const [, , byWeight] = node.outputs as [Value, Value, Value];
      if (own) emit.set(byWeight, emitScatter(emit, emit.tensor(byWeight), 2, [own]));
    },
    (node) => node.inputs[0]!.shape[0]! > 0,
  ),
};

/**
 * Emits everything except a part of the weights' gradient: each hidden row, subtracted at its
 * label. Returns that part if the gradient is read.
 */
export function emitCrossEntropy(
  emit: Emitter,
  node: Node<LinearCrossEntropyAttributes>,
): Scatter | undefined {
  const [hidden, weight, labels] = emit.tensors(node.inputs) as [string, string, string];
  const [loss, byHidden, byWeight] = node.outputs as [Value, Value, Value];
  const [count, width] = node.inputs[0]!.shape as [number, number];
  const zero = emit.constant(Int32Array.of(0), [], 'int32');
  const labelled = emit.node('GreaterOrEqual', [labels, zero]);
  const ofAll = emit.device !== undefined && emit.device !== 'cpu';
  const head: Head = {
    hidden,
    weight,
    labels: ofAll ? emit.node('Max', [labels, zero]) : labels,
    byHidden: emit.used(byHidden),
    byWeight: emit.used(byWeight),
    counts: ofAll ? countsOf(emit, labelled) : undefined,
  };
  // The weights' gradient is added to that of the chunk before, which is copied: that costs more
  // than logits of more rows.
  const chunk = node.attributes.chunk * (head.byWeight ? 2 : 1);
  const rows = ofAll
    ? emit.ints(Array.from({ length: count }, (_, row) => row))
    : emit.node('Reshape', [emit.node('NonZero', [labelled]), emit.ints([-1])]);

  const losses: string[] = [];
  const ofHidden: string[] = [];
  let ofWeight: string | undefined;
  let done: string | undefined;
  for (let from = 0; from < count; from += chunk) {
    const index = emit.node('Slice', [
      rows,
      emit.ints([from]),
      emit.ints([Math.min(count, from + chunk)]),
    ]);
    const part = emitChunk(emit, head, after(emit, index, done), ofWeight);
    losses.push(part.loss);
    if (part.ofHidden) ofHidden.push(part.ofHidden);
    ofWeight = part.ofWeight;
    done = zeroOnceDone(emit, part);
  }
  emit.set(loss, losses.length === 1 ? losses[0]! : emit.node('Sum', losses));
  if (head.byHidden) {
    emit.set(
      byHidden,
      ofAll
        ? joined(emit, ofHidden)
        : spread(emit, after(emit, rows, done), ofHidden, [count, width]),
    );
  }
  if (!head.byWeight) return undefined;
  emit.set(byWeight, ofWeight!);
  const ownRows = counted(emit, head, emit.node('Gather', [hidden, rows]), rows);
  return {
    indices: emit.node('Gather', [head.labels, rows]),
    updates: emit.node('Neg', [ownRows]),
  };
}

/** Factors of rows, [N, 1]: 1 with a label, 0 without. */
function countsOf(emit: Emitter, labelled: string): string {
  const counts = emit.node('Cast', [labelled], { attributes: { to: ELEMENT_TYPES.float32 } });
  return emit.node('Unsqueeze', [counts, emit.ints([-1])]);
}

/** `rows`, which have the places `index`, with zeros in rows without a label. */
function counted(emit: Emitter, { counts }: Head, rows: string, index: string): string {
  return counts ? emit.node('Mul', [rows, emit.node('Gather', [counts, index])]) : rows;
}

function joined(emit: Emitter, parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : emit.node('Concat', parts, { attributes: { axis: 0 } });
}

interface Chunk {
  readonly loss: string;
  readonly ofHidden?: string;
  readonly ofWeight?: string;
}

/**
 * An int64 zero that depends on all results of a chunk. Added to the indices of the next chunk, it
 * makes the runtime finish one chunk before the next: otherwise it computes the losses of all
 * chunks first and keeps all probabilities for the gradients.
 */
function zeroOnceDone(emit: Emitter, { loss, ofHidden, ofWeight }: Chunk): string {
  const firstRow = ofWeight && emit.node('Slice', [ofWeight, emit.ints([0]), emit.ints([1])]);
  const sums = [ofHidden, firstRow].flatMap((tensor) =>
    tensor
      ? [emit.node('ReduceSum', [tensor, emit.ints([0, 1])], { attributes: { keepdims: 0 } })]
      : [],
  );
  const odd = emit.node('IsNaN', [sums.length > 0 ? emit.node('Sum', [loss, ...sums]) : loss]);
  const flag = emit.node('Cast', [odd], { attributes: { to: ELEMENT_TYPES.int64 } });
  return emit.node('Mul', [flag, emit.constant(BigInt64Array.of(0n), [], 'int64')]);
}

function after(emit: Emitter, indices: string, zero: string | undefined): string {
  return zero ? emit.node('Add', [indices, zero]) : indices;
}

/**
 * The rows `index`: their loss, d loss / d hidden = P W - W[label], and `sofar` + P^T hidden, with
 * P the probabilities. log sum exp is taken where the probability is largest, max - log P(max), so
 * that it neither overflows nor loses digits.
 */
function emitChunk(emit: Emitter, head: Head, index: string, sofar: string | undefined): Chunk {
  const target = emit.node('Gather', [head.labels, index]);
  const hidden = emit.node('Gather', [head.hidden, index]);
  const logits = emit.node('Gemm', [hidden, head.weight], { attributes: { transB: 1 } });
  const own = emit.node(
    'GatherElements',
    [logits, emit.node('Unsqueeze', [target, emit.ints([-1])])],
    { attributes: { axis: 1 } },
  );
  const top = emit.node('ReduceMax', [logits, emit.ints([1])]);
  const probabilities = emit.node('Softmax', [logits]);
  const largest = emit.node('Log', [emit.node('ReduceMax', [probabilities, emit.ints([1])])]);
  const perRow = counted(
    emit,
    head,
    emit.node('Sub', [emit.node('Sub', [top, largest]), own]),
    index,
  );
  const loss = emit.node('ReduceSum', [perRow, emit.ints([0, 1])], { attributes: { keepdims: 0 } });
  const byLogits = counted(emit, head, probabilities, index);
  const ofHidden = head.byHidden
    ? emit.node(
        'Gemm',
        [
          byLogits,
          head.weight,
          counted(emit, head, emit.node('Gather', [head.weight, target]), index),
        ],
        { attributes: { beta: { float: -1 } } },
      )
    : undefined;
  const ofWeight = head.byWeight
    ? emit.node('Gemm', sofar ? [byLogits, hidden, sofar] : [byLogits, hidden], {
        attributes: { transA: 1 },
      })
    : undefined;
  return { loss, ...(ofHidden ? { ofHidden } : {}), ...(ofWeight ? { ofWeight } : {}) };
}

/** Rows of the chunks at their places in [N, D], zeros elsewhere. No row occurs twice. */
function spread(
  emit: Emitter,
  rows: string,
  parts: readonly string[],
  shape: readonly number[],
): string {
  return emit.node('ScatterND', [
    emitZeros(emit, shape),
    emit.node('Unsqueeze', [rows, emit.ints([-1])]),
    joined(emit, parts),
  ]);
}
