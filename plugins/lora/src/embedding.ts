// Matrices of the embedding: rows of A^T, looked up by token, times B^T. As a linear its input is a
// token and its weight lies transposed. Single rows of it: tokens.ts.
import { adapterValue, wrap, type Model, type Trace } from '@lmflow/sdk/model';
import { add, gather, matMul, mul, reshape, sub, type Value } from '@lmflow/sdk/graph';
import { LoraAdapter } from './adapter.ts';
import { magnitudeScale } from './dora.ts';
import type { LoraPair } from './pair.ts';

/** Wraps `embed`: hidden += scale A^T[tokens] B^T, without dropout as in PEFT. */
export function addEmbeddingAdapter(model: Model, by: string): void {
  wrap(model, 'embed', by, (inner) => (trace, inputIds) => {
    const hidden = inner(trace, inputIds);
    const { adapter } = trace.model;
    const pair = adapter instanceof LoraAdapter ? adapter.embedding : undefined;
    return pair ? add(hidden, change(trace, pair, reshape(inputIds, [hidden.shape[0]!]))) : hidden;
  });
}

/** What the pair adds to the embedded tokens, [tokens, hiddenSize]; with DoRA also to the base's. */
function change(trace: Trace, pair: LoraPair, tokens: Value): Value {
  const [a, b] = [adapterValue(trace, pair.a), adapterValue(trace, pair.b)];
  const low = mul(gather(a, tokens, 1), pair.scale);
  const update = matMul(low, b, { transposeA: true, transposeB: true });
  if (!pair.magnitude) return update;
  const factor = magnitudeScale(trace, pair, [a, b, adapterValue(trace, pair.magnitude)]);
  const rows = gather(trace.model.build.weight(trace, pair.layer.weight), tokens);
  return add(mul(rows, sub(factor, 1)), mul(update, factor));
}
