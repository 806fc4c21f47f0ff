// What objectives of whole sequences (pairs of answers, judged answers, groups of answers) are built
// from: what each token predicts, the log-probabilities of the answers, and sums over each sequence.
//
// The contract of such samples. A sample is a group of `groupSize` sequences (`Samples.group`; a pair
// is chosen, rejected; a judged answer is a group of one with a column `desirable`, 1 or 0). The batch
// size counts groups, which are never split. Of every sequence the answer alone has labels, its end
// token included. A micro-batch lists its sequences group by group: sequence g x groupSize + m is
// member m of group g, wherever the trainer lays it (a row of its own, or behind others in a row), so
// a loss may set `perToken`. The batch has
//   sequences   int32 [size, length]  the sequence of each token, -1 on padding
//   lastTokens  int32 [sequences]     the flat place of each sequence's last token
//   a column    float32 [sequences]   (margin, desirable, reference log-probabilities, ...)
// Taps of onBatch see all micro-batches of a step before the first is computed, with
// `batch.sequences` saying which sample and member each is, and may add tensors.
import type { Value } from '../graph/index.ts';
import {
  cast,
  concat,
  equal,
  gather,
  greaterOrEqual,
  linearLogProbs,
  maximum,
  mul,
  reshape,
  scatterAdd,
  slice,
  where,
  type LinearLogProbsAttributes,
  type LogProbs,
} from '../graph/index.ts';
import { forward } from './forward.ts';
import type { Trace } from './model.ts';

/**
 * Labels moved one place to the left, what each token predicts, of all rows [batch x length]; -100
 * where nothing is learned. Never across two packed samples.
 */
export function nextTokens(trace: Trace): Value {
  const { graph, batchSize, length, segments } = trace;
  const labels = trace.input('labels');
  const ignored = graph.constant(new Int32Array(batchSize).fill(-100), [batchSize, 1], 'int32');
  if (length === 1) return reshape(ignored, [batchSize]);
  const following = (x: Value): Value => slice(x, [0, 1], [batchSize, length]);
  const own = (x: Value): Value => slice(x, [0, 0], [batchSize, length - 1]);
  const next = segments
    ? where(
        equal(own(segments), following(segments)),
        following(labels),
        graph.constant(Int32Array.of(-100), [1, 1], 'int32'),
      )
    : following(labels);
  return reshape(concat([next, ignored], 1), [batchSize * length]);
}

/** Log-probabilities of the answers' tokens, each at the token before it. */
export interface AnswerLogProbs extends LogProbs {
  /** What each row predicts, int32 [batch x length]; negative outside of answers. */
  readonly targets: Value;
  /** 1 in rows that predict a token of an answer, else 0 [batch x length]. */
  readonly answered: Value;
}

/** 1 in rows that predict a token of an answer, else 0 [batch x length]. */
export function answersOf(trace: Trace): Value {
  return cast(greaterOrEqual(nextTokens(trace), zeroOf(trace)), 'float32');
}

/**
 * Log-probabilities, entropies and mean logits [batch x length] of what the rows' next tokens are; 0
 * outside of answers.
 */
export function answerLogProbs(
  trace: Trace,
  options: Partial<LinearLogProbsAttributes> = {},
): AnswerLogProbs {
  const targets = nextTokens(trace);
  const { hidden, weight } = forward(trace);
  const answered = answersOf(trace);
  return { ...linearLogProbs(hidden, weight, targets, options), targets, answered };
}

/** Number of sequences of the trace's batch. */
export function sequenceCount(trace: Trace): number {
  return trace.input('lastTokens').shape[0]!;
}

/** Sums of `values` [batch x length] over the tokens of each sequence: [sequences]. */
export function sequenceSums(trace: Trace, values: Value): Value {
  const ids = reshape(trace.input('sequences'), [trace.batchSize * trace.length]);
  const inside = cast(greaterOrEqual(ids, zeroOf(trace)), 'float32');
  return scatterAdd(maximum(ids, zeroOf(trace)), mul(values, inside), sequenceCount(trace));
}

/** A number of each sequence [sequences] at every one of its tokens: [batch x length], 0 on padding. */
export function atTokens(trace: Trace, values: Value): Value {
  const ids = reshape(trace.input('sequences'), [trace.batchSize * trace.length]);
  const inside = cast(greaterOrEqual(ids, zeroOf(trace)), 'float32');
  return mul(gather(values, maximum(ids, zeroOf(trace))), inside);
}

/** The members of groups, from values of sequences: of [groups x size] for each member [groups]. */
export function groupMembers(values: Value, size: number): readonly Value[] {
  const groups = values.shape[0]! / size;
  const table = reshape(values, [groups, size]);
  return Array.from({ length: size }, (_, member) =>
    reshape(slice(table, [0, member], [groups, member + 1]), [groups]),
  );
}

function zeroOf({ graph }: Trace): Value {
  return graph.constant(Int32Array.of(0), [], 'int32');
}
