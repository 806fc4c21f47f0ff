// Log-probabilities of given tokens under a linear head, one for each row, without the logits ever
// being a value of the program: the gradient computes them again in chunks, for whatever weights
// arrive at the rows. Where a sum alone is wanted, linearCrossEntropy computes them once.
import type { Value } from '../graph.ts';
import { applyOp, defineOp } from '../op.ts';
import { opTypesDoNotFit } from '../errors.ts';
import type { ValueType } from '../types.ts';
import { add, mul, neg, sub } from './binary.ts';
import { broadcastTo, sum } from './broadcast.ts';
import { headChunk } from './cross-entropy.ts';
import { cast, reshape } from './shape.ts';
import { exp, log, tanh } from './unary.ts';
import { takeLast } from './gather.ts';
import { equal, less, where } from './logic.ts';
import { matMul } from './matmul.ts';
import { max, mean } from './reduce.ts';
import { softmax } from './softmax.ts';

/** How logits are made of a head's products, and how many rows of them exist at a time. */
export type LinearLogProbsAttributes = {
  /** Rows of logits in memory at once. */
  readonly chunk: number;
  /** Logits are divided by it. */
  readonly temperature: number;
  /** c in c tanh(product / c), before the temperature; 0 for none (Gemma 2). */
  readonly softCap: number;
};

/** What `linearLogProbs` says of each row; 0 for a row without a label. */
export interface LogProbs {
  /** log softmax(logits)[label] [N]. */
  readonly logProbs: Value;
  /** Of the distribution, in nats [N]. */
  readonly entropies: Value;
  /** Mean of the row's logits [N]. */
  readonly meanLogits: Value;
}

const TAKES = 'takes hidden [N, D], weight [V, D] and int32 labels [N]';

function fits([hidden, weight, labels]: readonly ValueType[]): boolean {
  return (
    hidden?.shape.length === 2 &&
    weight?.shape.length === 2 &&
    hidden.shape[1] === weight.shape[1] &&
    hidden.dtype === weight.dtype &&
    labels?.dtype === 'int32' &&
    labels.shape.length === 1 &&
    labels.shape[0] === hidden.shape[0]
  );
}

/**
 * Inputs: hidden [N, D], weight [V, D], labels int32 [N] (negative: no label). Outputs, each [N]:
 * log-probability of the label, entropy, mean logit.
 */
export const linearLogProbsOp = defineOp<LinearLogProbsAttributes>({
  name: 'linearLogProbs',
  infer: (inputs) => {
    const [hidden] = inputs;
    if (inputs.length !== 3 || !fits(inputs)) {
      throw opTypesDoNotFit('linearLogProbs', inputs, TAKES);
    }
    const row = { dtype: hidden!.dtype, shape: hidden!.shape.slice(0, 1) };
    return [row, row, row];
  },
  decompose: (inputs, attributes) => {
    const rows = rowsOf(inputs as HeadInputs, attributes);
    const own = sub(takeLast(rows.logits, rows.target), rows.normaliser);
    return [own, rows.entropy, mean(rows.logits, { axes: [1] })].map((row) =>
      where(rows.ignored, 0, row),
    );
  },
  gradient: (node, [byLogProb, byEntropy, byMean], needed) => {
    const { inputs, outputs, attributes } = node;
    const zero = (): Value =>
      broadcastTo(cast(outputs[0]!.graph.scalar(0), outputs[0]!.dtype), outputs[0]!.shape);
    const upstream = byEntropy || byMean ? [byLogProb, byEntropy, byMean] : [byLogProb];
    const all = [...inputs, ...upstream.map((value) => value ?? zero())];
    const [byHidden, byWeight] = applyOp(linearLogProbsGradientOp, all, attributes);
    return [needed[0] ? byHidden : undefined, needed[1] ? byWeight : undefined];
  },
});

/**
 * Inputs: those of `linearLogProbs`, and what arrives at its rows [N]: at the log-probabilities, and
 * (both or neither) at entropies and mean logits. Outputs: gradients of hidden [N, D] and of weight
 * [V, D].
 */
export const linearLogProbsGradientOp = defineOp<LinearLogProbsAttributes>({
  name: 'linearLogProbsGradient',
  infer: (inputs) => {
    const [hidden, weight, , ...upstream] = inputs;
    const arrives =
      (upstream.length === 1 || upstream.length === 3) &&
      upstream.every(
        ({ dtype, shape }) =>
          dtype === hidden!.dtype && shape.length === 1 && shape[0] === hidden!.shape[0],
      );
    if (!fits(inputs) || !arrives) {
      throw opTypesDoNotFit('linearLogProbsGradient', inputs, `${TAKES}, and one or three [N]`);
    }
    return [hidden!, weight!].map(({ dtype, shape }) => ({ dtype, shape }));
  },
  // With p the probabilities: d log p(y) = 1[y] - p, d entropy = -p (log p + entropy), d mean = 1/V,
  // each by the logits.
  decompose: (inputs, attributes) => {
    const [hidden, weight, , ...arrived] = inputs;
    const rows = rowsOf(inputs as HeadInputs, attributes);
    const { logits, probabilities, normaliser, entropy, ignored, target } = rows;
    const [count, size] = logits.shape as [number, number];
    const column = (value: Value): Value => reshape(value, [count, 1]);
    const [u, e, m] = arrived.map((value) => column(where(ignored, 0, value)));
    const hit = cast(
      equal(broadcastTo(placesOf(hidden!, size), [count, size]), column(target)),
      hidden!.dtype,
    );
    let gradient = mul(u!, sub(hit, probabilities));
    if (e && m) {
      const surprise = add(sub(logits, column(normaliser)), column(entropy));
      gradient = add(sub(gradient, mul(mul(e, probabilities), surprise)), mul(m, 1 / size));
    }
    const { temperature, softCap } = attributes;
    if (softCap > 0) {
      const capped = mul(logits, temperature / softCap);
      gradient = mul(gradient, sub(1, mul(capped, capped)));
    }
    const byProduct = mul(gradient, 1 / temperature);
    return [matMul(byProduct, weight!), matMul(byProduct, hidden!, { transposeA: true })];
  },
});

type HeadInputs = readonly [hidden: Value, weight: Value, labels: Value, ...Value[]];

function placesOf({ graph }: Value, size: number): Value {
  const places = Int32Array.from({ length: size }, (_, index) => index);
  return graph.constant(places, [1, size], 'int32');
}

/** All rows' logits and what follows from them; `target` is 0 where there is no label. */
function rowsOf(
  [hidden, weight, labels]: HeadInputs,
  { temperature, softCap }: LinearLogProbsAttributes,
): Readonly<
  Record<'logits' | 'probabilities' | 'normaliser' | 'entropy' | 'ignored' | 'target', Value>
> {
  const zero = hidden.graph.constant(Int32Array.of(0), [], 'int32');
  const ignored = less(labels, zero);
  const product = matMul(hidden, weight, { transposeB: true });
  const capped = softCap > 0 ? mul(tanh(mul(product, 1 / softCap)), softCap) : product;
  const logits = mul(capped, 1 / temperature);
  const top = max(logits, { axes: [1], keepDims: true });
  const below = sub(logits, top);
  const probabilities = softmax(logits);
  const overTop = log(sum(exp(below), { axes: [1], keepDims: true }));
  return {
    logits,
    probabilities,
    ignored,
    target: where(ignored, zero, labels),
    normaliser: reshape(add(overTop, top), [hidden.shape[0]!]),
    entropy: add(
      reshape(overTop, [hidden.shape[0]!]),
      neg(sum(mul(probabilities, below), { axes: [1] })),
    ),
  };
}

/**
 * Log-probabilities of labels [N] under softmax(hidden weight^T / temperature), with the entropy and
 * the mean logit of each row. hidden [N, D], weight [V, D], labels int32 [N]; a negative label's row
 * has zeros and costs nothing. Without a `chunk`, as many rows at once as keep the logits within 64
 * MB.
 */
export function linearLogProbs(
  hidden: Value,
  weight: Value,
  labels: Value,
  options: Partial<LinearLogProbsAttributes> = {},
): LogProbs {
  const { chunk = headChunk(weight.shape[0] ?? 1), temperature = 1, softCap = 0 } = options;
  const [logProbs, entropies, meanLogits] = applyOp(linearLogProbsOp, [hidden, weight, labels], {
    chunk,
    temperature,
    softCap,
  }) as [Value, Value, Value];
  return { logProbs, entropies, meanLogits };
}
