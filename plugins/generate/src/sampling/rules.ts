// Everything that changes the logits before temperature and filters, in transformers' order, for a
// sequence's history.
import type { Settings } from '../settings.ts';
import { ban, logitBias, noRepeatNgram, presencePenalty, repetitionPenalty } from './penalties.ts';

/** What a sequence has so far. */
export interface History {
  /** Prompt and answer. */
  readonly ids: readonly number[];
  readonly seen: ReadonlySet<number>;
  /** How often each token is in the answer. */
  readonly counts: ReadonlyMap<number, number>;
  readonly newTokens: number;
}

/** Whether the settings leave logits as they are, once minNewTokens is reached. */
export function changesNothing({
  repetitionPenalty: repetition,
  presencePenalty: presence,
  frequencyPenalty: frequency,
  noRepeatNgramSize,
  logitBias: bias,
}: Settings): boolean {
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
  settings: Settings,
  { ids, seen, counts, newTokens }: History,
): void {
  logitBias(logits, settings.logitBias);
  if (settings.repetitionPenalty !== 1) repetitionPenalty(logits, seen, settings.repetitionPenalty);
  if (settings.presencePenalty !== 0 || settings.frequencyPenalty !== 0) {
    presencePenalty(logits, counts, settings.presencePenalty, settings.frequencyPenalty);
  }
  if (settings.noRepeatNgramSize > 0) noRepeatNgram(logits, ids, settings.noRepeatNgramSize);
  if (newTokens < settings.minNewTokens) ban(logits, settings.eosTokenId);
}
