// Lowers linear cross-entropy in chunks: logits exist for `chunk` rows at a time. Which rows chunks
// have is labelled-rows.ts's.
import type { LinearCrossEntropyAttributes, Node, Value } from '@lmflow/sdk/graph';
import type { Emitter } from '../onnx/emitter.ts';
import { emitScatter, type Scatter } from './gather.ts';
import {
  after,
  chunkAt,
  counted,
  labelledRows,
  spread,
  zeroOnceDone,
  type LabelledRows,
} from './labelled-rows.ts';
import { entry, type LoweringEntry } from './lowering.ts';

interface Head {
  readonly hidden: string;
  readonly weight: string;
  readonly labelled: LabelledRows;
  readonly byHidden: boolean;
  readonly byWeight: boolean;
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
  const labelled = labelledRows(emit, labels, count);
  const head: Head = {
    hidden,
    weight,
    labelled,
    byHidden: emit.used(byHidden),
    byWeight: emit.used(byWeight),
  };
  // The weights' gradient is added to that of the chunk before, which is copied: that costs more
  // than logits of more rows.
  const chunk = node.attributes.chunk * (head.byWeight ? 2 : 1);

  const losses: string[] = [];
  const ofHidden: string[] = [];
  let ofWeight: string | undefined;
  let done: string | undefined;
  for (let from = 0; from < count; from += chunk) {
    const index = after(emit, chunkAt(emit, labelled, from, chunk), done);
    const part = emitChunk(emit, head, index, ofWeight);
    losses.push(part.loss);
    if (part.ofHidden) ofHidden.push(part.ofHidden);
    ofWeight = part.ofWeight;
    const firstRow = ofWeight && emit.node('Slice', [ofWeight, emit.ints([0]), emit.ints([1])]);
    done = zeroOnceDone(
      emit,
      [part.loss],
      [part.ofHidden, firstRow].filter((tensor) => tensor !== undefined),
    );
  }
  emit.set(loss, losses.length === 1 ? losses[0]! : emit.node('Sum', losses));
  if (head.byHidden) {
    emit.set(byHidden, spread(emit, labelled, ofHidden, { shape: [count, width], done }));
  }
  if (!head.byWeight) return undefined;
  emit.set(byWeight, ofWeight!);
  const { rows } = labelled;
  const ownRows = counted(emit, labelled, emit.node('Gather', [hidden, rows]), rows);
  return {
    indices: emit.node('Gather', [labelled.labels, rows]),
    updates: emit.node('Neg', [ownRows]),
  };
}

interface Chunk {
  readonly loss: string;
  readonly ofHidden?: string;
  readonly ofWeight?: string;
}

/**
 * The rows `index`: their loss, d loss / d hidden = P W - W[label], and `sofar` + P^T hidden, with
 * P the probabilities. log sum exp is taken where the probability is largest, max - log P(max), so
 * that it neither overflows nor loses digits.
 */
function emitChunk(emit: Emitter, head: Head, index: string, sofar: string | undefined): Chunk {
  const { labelled } = head;
  const target = emit.node('Gather', [labelled.labels, index]);
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
    labelled,
    emit.node('Sub', [emit.node('Sub', [top, largest]), own]),
    index,
  );
  const loss = emit.node('ReduceSum', [perRow, emit.ints([0, 1])], { attributes: { keepdims: 0 } });
  const byLogits = counted(emit, labelled, probabilities, index);
  const ofHidden = head.byHidden
    ? emit.node(
        'Gemm',
        [
          byLogits,
          head.weight,
          counted(emit, labelled, emit.node('Gather', [head.weight, target]), index),
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
