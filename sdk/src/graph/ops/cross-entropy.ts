// Cross-entropy of a linear head, without the logits ever being a value of the program: engines
// compute it in chunks of rows, and only for rows that carry a label, and give the gradients in the
// same pass.
import type { Value } from '../graph.ts';
import { applyOp, defineOp } from '../op.ts';
import { opTypesDoNotFit } from '../errors.ts';
import { add, mul, sub } from './binary.ts';
import { max } from './reduce.ts';
import { sum, broadcastTo } from './broadcast.ts';
import { cast, reshape } from './shape.ts';
import { exp, log } from './unary.ts';
import { takeLast } from './gather.ts';
import { equal, less, where } from './logic.ts';
import { matMul } from './matmul.ts';
import { softmax } from './softmax.ts';

/** How much of the logits `linearCrossEntropy` holds at a time. */
export type LinearCrossEntropyAttributes = {
  /** Rows of logits in memory at once. */
  readonly chunk: number;
};

/**
 * Inputs: hidden [N, D], weight [V, D], labels int32 [N] (negative: no loss). Outputs: sum over
 * labelled rows of
 * -log softmax(hidden weight^T)[label], the gradient of that sum by hidden [N, D] and by weight [V,
 * D].
 */
export const linearCrossEntropyOp = defineOp<LinearCrossEntropyAttributes>({
  name: 'linearCrossEntropy',
  infer: (inputs) => {
    const [hidden, weight, labels] = inputs;
    const fits =
      hidden?.shape.length === 2 &&
      weight?.shape.length === 2 &&
      hidden.shape[1] === weight.shape[1] &&
      hidden.dtype === weight.dtype &&
      labels?.dtype === 'int32' &&
      labels.shape.length === 1 &&
      labels.shape[0] === hidden.shape[0];
    if (!fits) {
      throw opTypesDoNotFit(
        'linearCrossEntropy',
        inputs,
        'takes hidden [N, D], weight [V, D] and int32 labels [N]',
      );
    }
    return [{ dtype: hidden.dtype, shape: [] }, hidden, weight].map(({ dtype, shape }) => ({
      dtype,
      shape,
    }));
  },
  results: 1,
  decompose: ([hidden, weight, labels]) => {
    const { graph } = hidden!;
    const [rows, size] = [hidden!.shape[0]!, weight!.shape[0]!];
    const zero = graph.constant(Int32Array.of(0), [], 'int32');
    const ignored = less(labels!, zero);
    const target = where(ignored, zero, labels!);
    const counts = cast(reshape(where(ignored, 0, 1), [rows, 1]), hidden!.dtype);
    const logits = matMul(hidden!, weight!, { transposeB: true });
    const top = max(logits, { axes: [1], keepDims: true });
    const normaliser = reshape(
      add(log(sum(exp(sub(logits, top)), { axes: [1], keepDims: true })), top),
      [rows],
    );
    const loss = sum(mul(sub(normaliser, takeLast(logits, target)), reshape(counts, [rows])));
    const places = graph.constant(
      Int32Array.from({ length: size }, (_, index) => index),
      [1, size],
      'int32',
    );
    const hit = cast(
      equal(broadcastTo(places, [rows, size]), reshape(target, [rows, 1])),
      hidden!.dtype,
    );
    const gradient = mul(sub(softmax(logits), hit), counts);
    return [loss, matMul(gradient, weight!), matMul(gradient, hidden!, { transposeA: true })];
  },
  gradient: (node, [gradient], needed) => [
    needed[0] ? mul(node.outputs[1]!, gradient!) : undefined,
    needed[1] ? mul(node.outputs[2]!, gradient!) : undefined,
  ],
});

/**
 * Logits in memory at once, by default: 64 MB of float32. Rows enough for a fast product come
 * before it.
 */
const LOGITS = 1 << 24;
const [FEWEST, MOST] = [64, 512];

/** Rows of logits of a vocabulary of `size` that exist at a time, by default. */
export function headChunk(size: number): number {
  return Math.min(MOST, Math.max(FEWEST, 32 * Math.floor(LOGITS / size / 32)));
}

/**
 * Sum of the cross-entropy over the rows whose label is not negative. hidden [N, D], weight [V, D],
 * labels int32 [N]; a scalar. Without a `chunk`, as many rows at once as keep the logits within 64
 * MB.
 */
export function linearCrossEntropy(
  hidden: Value,
  weight: Value,
  labels: Value,
  options: Partial<LinearCrossEntropyAttributes> = {},
): Value {
  const chunk = options.chunk ?? headChunk(weight.shape[0] ?? 1);
  return applyOp(linearCrossEntropyOp, [hidden, weight, labels], { chunk })[0]!;
}
