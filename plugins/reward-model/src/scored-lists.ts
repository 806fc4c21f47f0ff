// What `lmflow reward-score` gives: LMFlow's text_to_scored_textlist, with the values of rewards.
import type { ScoredAnswer } from '@lmflow/sdk';

/** Also the content of the command's file. */
export interface RewardScores {
  readonly type: 'text_to_scored_textlist';
  readonly instances: readonly ScoredList[];
}

/** The answers to a prompt, with their scores. */
export interface ScoredList {
  readonly input: unknown;
  readonly output: readonly RewardedAnswer[];
}

/** Of the rewards of the configuration also each value; null where one does not apply. */
export interface RewardedAnswer extends ScoredAnswer {
  readonly rewards?: Readonly<Record<string, number | null>>;
}
