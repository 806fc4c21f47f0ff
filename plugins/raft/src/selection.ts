// Which answers of a round are trained. Functions of numbers alone.
import type { RaftOptions } from './options.ts';

/** An answer with what it is ranked by. */
export interface Candidate {
  /** Answers with one number are to one prompt. */
  readonly prompt: number;
  /** Tokens of the answer, as text: equal answers to a prompt are trained once. */
  readonly content: string;
  /** null where no reward applies: never selected. */
  readonly reward: number | null;
  readonly ended: boolean;
  /** log policy - log start, summed over its tokens; 0 where it is not measured. */
  readonly divergence: number;
}

export type SelectionOptions = Pick<
  RaftOptions,
  | 'selection'
  | 'topFraction'
  | 'threshold'
  | 'mixedOnly'
  | 'truncated'
  | 'truncationPenalty'
  | 'klCoef'
>;

/** What an answer is ranked by; undefined where it cannot be selected. */
export function rankOf(
  { reward, ended, divergence }: Candidate,
  { truncated, truncationPenalty = 1, klCoef }: SelectionOptions,
): number | undefined {
  if (reward === null || (!ended && truncated === 'drop')) return undefined;
  const penalty = !ended && truncated === 'penalize' ? truncationPenalty : 0;
  return reward - penalty - klCoef * divergence;
}

/** Indices of the answers that are trained, ascending. */
export function selectedOf(
  candidates: readonly Candidate[],
  options: SelectionOptions,
): readonly number[] {
  const { selection, topFraction = 0.125, threshold = 0, mixedOnly } = options;
  const mixed = mixedOnly ? mixedPrompts(candidates) : undefined;
  const seen = new Set<string>();
  const ranked = candidates.flatMap((candidate, index) => {
    const rank = rankOf(candidate, options);
    if (rank === undefined || (mixed && !mixed.has(candidate.prompt))) return [];
    const key = `${candidate.prompt}: ${candidate.content}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ index, rank, prompt: candidate.prompt }];
  });
  switch (selection) {
    case 'best': {
      const best = new Map<number, (typeof ranked)[number]>();
      for (const one of ranked) {
        if (one.rank > (best.get(one.prompt)?.rank ?? -Infinity)) best.set(one.prompt, one);
      }
      return [...best.values()].map(({ index }) => index).sort((a, b) => a - b);
    }
    case 'topFraction':
      return ranked
        .sort((a, b) => b.rank - a.rank || a.index - b.index)
        .slice(0, Math.floor(topFraction * candidates.length))
        .map(({ index }) => index)
        .sort((a, b) => a - b);
    case 'positive':
      return ranked.filter(({ rank }) => rank > threshold).map(({ index }) => index);
  }
}

/** The most answers that a round of so many prompts can train. */
export function mostSelected(
  prompts: number,
  answers: number,
  { selection, topFraction = 0.125 }: SelectionOptions,
): number {
  if (selection === 'best') return prompts;
  return selection === 'positive' ? answers : Math.max(1, Math.floor(topFraction * answers));
}

/** Prompts with answers of different rewards. */
function mixedPrompts(candidates: readonly Candidate[]): ReadonlySet<number> {
  const rewards = new Map<number, Set<number>>();
  for (const { prompt, reward } of candidates) {
    if (reward === null) continue;
    rewards.set(prompt, (rewards.get(prompt) ?? new Set()).add(reward));
  }
  return new Set([...rewards].filter(([, values]) => values.size > 1).map(([prompt]) => prompt));
}
