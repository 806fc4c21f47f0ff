// Changes logits in place before a token is chosen: penalties for repetition, biases, bans. Their
// order is in rules.ts.

/**
 * Divides positive and multiplies negative logits of tokens seen before, once each (Keskar et al.
 * 2019, CTRL).
 */
export function repetitionPenalty(
  logits: Float64Array,
  seen: Iterable<number>,
  penalty: number,
): void {
  for (const id of seen) {
    logits[id] = logits[id]! < 0 ? logits[id]! * penalty : logits[id]! / penalty;
  }
}

/**
 * Subtracts `presence` from the logit of each token in the answer, and `frequency` for every time it
 * occurs there (OpenAI's definition).
 */
export function presencePenalty(
  logits: Float64Array,
  counts: ReadonlyMap<number, number>,
  presence: number,
  frequency: number,
): void {
  for (const [id, count] of counts) logits[id]! -= presence + frequency * count;
}

/** Bans every token that would complete an n-gram the sequence has already. */
export function noRepeatNgram(logits: Float64Array, ids: readonly number[], size: number): void {
  if (ids.length < size) return;
  const start = ids.length - size + 1;
  for (let at = 0; at + size <= ids.length; at++) {
    let same = true;
    for (let index = 0; same && index < size - 1; index++) {
      same = ids[at + index] === ids[start + index];
    }
    if (same) logits[ids[at + size - 1]!] = -Infinity;
  }
}

/** Adds a number to the logits of some tokens. */
export function logitBias(logits: Float64Array, bias: ReadonlyMap<number, number>): void {
  for (const [id, number] of bias) logits[id]! += number;
}

/** Bans tokens. */
export function ban(logits: Float64Array, ids: Iterable<number>): void {
  for (const id of ids) logits[id] = -Infinity;
}
