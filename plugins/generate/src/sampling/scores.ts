// Log-probabilities of tokens, from the model's own logits: before penalties and filters.
import type { TokenScore } from '@lmflow/sdk';

/** The `count` likeliest tokens with their log-probabilities, likeliest first, equals by id. */
export function likeliest(
  logits: ArrayLike<number>,
  count: number,
  normalizer: number,
): TokenScore[] {
  const best: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && !(logits[id]! > logits[best.at(-1)!]!)) continue;
    let place = best.length;
    while (place > 0 && logits[best[place - 1]!]! < logits[id]!) place--;
    best.splice(place, 0, id);
    if (best.length > count) best.pop();
  }
  return best.map((id) => ({ id, logprob: logits[id]! - normalizer }));
}
