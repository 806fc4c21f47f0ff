// Lowers linearLogProbs and its gradient in chunks: logits exist for `chunk` rows at a time, and are
// computed once for each of the two. Which rows chunks have is labelled-rows.ts's.
import type { LinearLogProbsAttributes, Node, Value } from '@lmflow/sdk/graph';
import type { Emitter } from '../onnx/emitter.ts';
import { emitScatter } from './gather.ts';
import {
  after,
  chunkAt,
  counted,
  joined,
  labelledRows,
  spread,
  zeroOnceDone,
  type LabelledRows,
} from './labelled-rows.ts';
import { entry, type LoweringEntry } from './lowering.ts';

const hasRows = (node: Node<LinearLogProbsAttributes>): boolean =>
  node.inputs[0]!.shape[0]! > 0 && node.inputs[0]!.dtype === 'float32';

/** The lowerings of `linearLogProbs` and `linearLogProbsGradient`. */
export const logProbs: Readonly<Record<string, LoweringEntry>> = {
  linearLogProbs: entry<LinearLogProbsAttributes>(emitLogProbs, hasRows),
  linearLogProbsGradient: entry<LinearLogProbsAttributes>(emitGradient, hasRows),
};

interface Head {
  readonly hidden: string;
  readonly weight: string;
  readonly labelled: LabelledRows;
  readonly attributes: LinearLogProbsAttributes;
}

/** Rows `index` of a head, [rows, V] and [rows, 1]. */
interface Rows {
  readonly index: string;
  readonly target: string;
  readonly hidden: string;
  /** tanh of the products over the cap, where there is one. */
  readonly capped: string | undefined;
  readonly logits: string;
  readonly probabilities: string;
  readonly top: string;
  /** Logarithm of the largest probability: log sum exp is top - largest. */
  readonly largest: string;
}

function headOf(emit: Emitter, node: Node<LinearLogProbsAttributes>): Head {
  const [hidden, weight, labels] = emit.tensors(node.inputs) as [string, string, string];
  const labelled = labelledRows(emit, labels, node.inputs[0]!.shape[0]!);
  return { hidden, weight, labelled, attributes: node.attributes };
}

function emitRows(emit: Emitter, head: Head, index: string): Rows {
  const { temperature, softCap } = head.attributes;
  const target = emit.node('Gather', [head.labelled.labels, index]);
  const hidden = emit.node('Gather', [head.hidden, index]);
  const product = emit.node('Gemm', [hidden, head.weight], {
    attributes: { transB: 1, alpha: { float: 1 / (softCap > 0 ? softCap : temperature) } },
  });
  const capped = softCap > 0 ? emit.node('Tanh', [product]) : undefined;
  const logits = capped ? emit.node('Mul', [capped, emit.scalar(softCap / temperature)]) : product;
  const probabilities = emit.node('Softmax', [logits]);
  return {
    index,
    target,
    hidden,
    capped,
    logits,
    probabilities,
    top: emit.node('ReduceMax', [logits, emit.ints([1])]),
    largest: emit.node('Log', [emit.node('ReduceMax', [probabilities, emit.ints([1])])]),
  };
}

/** One element of each row, at its label: [rows, 1]. */
function atLabel(emit: Emitter, values: string, { target }: Rows): string {
  return emit.node('GatherElements', [values, emit.node('Unsqueeze', [target, emit.ints([-1])])], {
    attributes: { axis: 1 },
  });
}

/** Logits below the largest, and the entropy: -log P(max) - sum of P times these. */
function entropyOf(
  emit: Emitter,
  { logits, top, largest, probabilities }: Rows,
): { readonly below: string; readonly entropy: string } {
  const below = emit.node('Sub', [logits, top]);
  const mean = emit.node('ReduceSum', [emit.node('Mul', [probabilities, below]), emit.ints([1])]);
  return { below, entropy: emit.node('Neg', [emit.node('Add', [largest, mean])]) };
}

function emitLogProbs(emit: Emitter, node: Node<LinearLogProbsAttributes>): void {
  const head = headOf(emit, node);
  const { labelled, attributes } = head;
  const results: readonly ((rows: Rows) => string)[] = [
    (rows) =>
      emit.node('Sub', [
        atLabel(emit, rows.logits, rows),
        emit.node('Sub', [rows.top, rows.largest]),
      ]),
    (rows) => entropyOf(emit, rows).entropy,
    ({ logits }) => emit.node('ReduceMean', [logits, emit.ints([1])]),
  ];
  const wanted = node.outputs.flatMap((output, index) =>
    emit.used(output) ? [{ output, result: results[index]!, parts: [] as string[] }] : [],
  );
  let done: string | undefined;
  for (let from = 0; from < labelled.count; from += attributes.chunk) {
    const index = after(emit, chunkAt(emit, labelled, from, attributes.chunk), done);
    const rows = emitRows(emit, head, index);
    const columns = wanted.map(({ result, parts }) => {
      const column = counted(emit, labelled, result(rows), index);
      parts.push(emit.node('Reshape', [column, emit.ints([-1])]));
      return column;
    });
    done = zeroOnceDone(emit, [], columns);
  }
  for (const { output, parts } of wanted) {
    emit.set(output, spread(emit, labelled, parts, { shape: [labelled.count], done }));
  }
}

/**
 * With G the gradient by the products, less its part at the labels, which is `own`: hidden gets
 * G W + own W[label], the weight G^T hidden, and own hidden at the rows of the labels.
 */
function emitGradient(emit: Emitter, node: Node<LinearLogProbsAttributes>): void {
  const head = headOf(emit, node);
  const { labelled, attributes } = head;
  const [ofHidden, ofWeight] = node.outputs as [Value, Value];
  const upstream = emit
    .tensors(node.inputs.slice(3))
    .map((tensor) => emit.node('Unsqueeze', [tensor, emit.ints([-1])]));
  // as in cross-entropy.ts: the sum that is copied costs more than logits of more rows
  const chunk = attributes.chunk * (emit.used(ofWeight) ? 2 : 1);
  const byHidden: string[] = [];
  const own: { readonly target: string; readonly update: string }[] = [];
  let byWeight: string | undefined;
  let done: string | undefined;
  for (let from = 0; from < labelled.count; from += chunk) {
    const index = after(emit, chunkAt(emit, labelled, from, chunk), done);
    const rows = emitRows(emit, head, index);
    const arriving = upstream.map((tensor) => arrivingAt(emit, head, tensor, index));
    const { byProducts, atLabels } = emitByProducts(emit, rows, arriving, ofWeight.shape[0]!);
    const finished: string[] = [];
    if (emit.used(ofHidden)) {
      const labelRows = emit.node('Mul', [
        emit.node('Gather', [head.weight, rows.target]),
        atLabels,
      ]);
      byHidden.push(emit.node('Gemm', [byProducts, head.weight, labelRows]));
      finished.push(byHidden.at(-1)!);
    }
    if (emit.used(ofWeight)) {
      const sofar = byWeight ? [byWeight] : [];
      byWeight = emit.node('Gemm', [byProducts, rows.hidden, ...sofar], {
        attributes: { transA: 1 },
      });
      own.push({ target: rows.target, update: emit.node('Mul', [rows.hidden, atLabels]) });
      finished.push(
        emit.node('Slice', [byWeight, emit.ints([0]), emit.ints([1])]),
        own.at(-1)!.update,
      );
    }
    done = zeroOnceDone(emit, [], finished);
  }
  if (emit.used(ofHidden)) {
    emit.set(ofHidden, spread(emit, labelled, byHidden, { shape: ofHidden.shape, done }));
  }
  if (!byWeight) return;
  const scatter = {
    indices: joined(
      emit,
      own.map(({ target }) => target),
    ),
    updates: joined(
      emit,
      own.map(({ update }) => update),
    ),
  };
  emit.set(ofWeight, emitScatter(emit, byWeight, 2, [scatter]));
}

/** What arrives at rows `index` [rows, 1], over the temperature. */
function arrivingAt(
  emit: Emitter,
  { labelled, attributes }: Head,
  tensor: string,
  index: string,
): string {
  const scale = emit.scalar(1 / attributes.temperature);
  const scaled = emit.node('Mul', [emit.node('Gather', [tensor, index]), scale]);
  return counted(emit, labelled, scaled, index);
}

/** What arrives at the products of rows, `size` each: at all of them, and besides at their labels. */
function emitByProducts(
  emit: Emitter,
  rows: Rows,
  [u, e, m]: readonly string[],
  size: number,
): { readonly byProducts: string; readonly atLabels: string } {
  const { probabilities, largest, capped } = rows;
  let gradient = emit.node('Mul', [probabilities, emit.node('Neg', [u!])]);
  if (e && m) {
    const { below, entropy } = entropyOf(emit, rows);
    const surprise = emit.node('Add', [below, emit.node('Add', [largest, entropy])]);
    const ofEntropy = emit.node('Mul', [emit.node('Mul', [probabilities, e]), surprise]);
    const ofMean = emit.node('Mul', [m, emit.scalar(1 / size)]);
    gradient = emit.node('Add', [emit.node('Sub', [gradient, ofEntropy]), ofMean]);
  }
  if (!capped) return { byProducts: gradient, atLabels: u! };
  const slope = emit.node('Sub', [emit.scalar(1), emit.node('Mul', [capped, capped])]);
  return {
    byProducts: emit.node('Mul', [gradient, slope]),
    atLabels: emit.node('Mul', [u!, atLabel(emit, slope, rows)]),
  };
}
