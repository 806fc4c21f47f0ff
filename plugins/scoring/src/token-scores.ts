// From logits to scores of tokens, in float64.
import type { TokenScore } from '@lmflow/sdk';
import { logSumExp } from '@lmflow/sdk/model';

/** Score of one token by the logits of its place. */
export interface PlaceScore {
  readonly logprob: number;
  readonly greedy: boolean;
  readonly top?: readonly TokenScore[];
}

/** The score of `token`, and the `top` likeliest beside it. */
export function scoreOf(logits: Float32Array, token: number, top: number): PlaceScore {
  const normalizer = logSumExp(logits);
  const own = logits[token]!;
  return {
    logprob: own - normalizer,
    greedy: isLikeliest(logits, token),
    ...(top > 0 ? { top: likeliest(logits, top, normalizer) } : {}),
  };
}

/** Whether no logit is larger, and none before it is equal. */
function isLikeliest(logits: Float32Array, token: number): boolean {
  const own = logits[token]!;
  for (let id = 0; id < logits.length; id++) {
    if (logits[id]! > own || (id < token && logits[id] === own)) return false;
  }
  return true;
}

/** The `count` largest logits, best first; of equal ones the first. */
function likeliest(logits: Float32Array, count: number, normalizer: number): TokenScore[] {
  const best: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && !(logits[id]! > logits[best.at(-1)!]!)) continue;
    let place = best.length;
    while (place > 0 && logits[id]! > logits[best[place - 1]!]!) place--;
    best.splice(place, 0, id);
    best.length = Math.min(best.length, count);
  }
  return best.map((id) => ({ id, logprob: logits[id]! - normalizer }));
}
