// Applies the built-in penalties, biases and bans to a sequence's logits in transformers' order,
// before plugins, temperature and filters.
import type { DecodingConfig } from '../decoding-config.ts';
import { ban, logitBias, noRepeatNgram, presencePenalty, repetitionPenalty } from './penalties.ts';

/** The tokens of a sequence so far. */
export interface History {
  /** Prompt and answer. */
  readonly ids: readonly number[];
  readonly seen: ReadonlySet<number>;
  /** How often each token is in the answer. */
  readonly counts: ReadonlyMap<number, number>;
  readonly newTokens: number;
}

/** Whether the config leaves logits as they are, once minNewTokens is reached. */
export function changesNothing({
  repetitionPenalty: repetition,
  presencePenalty: presence,
  frequencyPenalty: frequency,
  noRepeatNgramSize,
  logitBias: bias,
}: DecodingConfig): boolean {
  return (
    repetition === 1 &&
    presence === 0 &&
    frequency === 0 &&
    noRepeatNgramSize === 0 &&
    bias.size === 0
  );
}

/** The history of a sequence whose last `newTokens` tokens are the answer. */
export function historyOf(ids: readonly number[], newTokens: number): History {
  const counts = new Map<number, number>();
  for (const id of ids.slice(ids.length - newTokens)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return { ids, seen: new Set(ids), counts, newTokens };
}

/** Applies every rule to logits (or log-probabilities), in place. */
export function applyRules(
  logits: Float64Array,
  config: DecodingConfig,
  { ids, seen, counts, newTokens }: History,
): void {
  logitBias(logits, config.logitBias);
  if (config.repetitionPenalty !== 1) repetitionPenalty(logits, seen, config.repetitionPenalty);
  if (config.presencePenalty !== 0 || config.frequencyPenalty !== 0) {
    presencePenalty(logits, counts, config.presencePenalty, config.frequencyPenalty);
  }
  if (config.noRepeatNgramSize > 0) noRepeatNgram(logits, ids, config.noRepeatNgramSize);
  if (newTokens < config.minNewTokens) ban(logits, config.eosTokenId);
}
