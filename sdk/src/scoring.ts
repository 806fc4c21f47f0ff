// What a model makes of tokens that are given: log-probabilities, sums of continuations, logits,
// values of a scalar head. New tokens are the generator's.
import type { TokenScore } from './generation.ts';
import type { Model } from './model/model.ts';
import { IGNORED } from './samples.ts';

/** Tokens from position 0 on, and which of them are scored. */
export interface ScoreRow {
  readonly ids: Int32Array;
  /**
   * As the labels of a sample: the token that is scored AT each place, given those before it, or
   * IGNORED. Left out, every token but the first is scored.
   */
  readonly labels?: Int32Array;
}

/** A prompt with an answer to it, of which the answer's tokens are scored. */
export function answerRow(
  prompt: ArrayLike<number>,
  answer: ArrayLike<number>,
): Required<ScoreRow> {
  const ids = new Int32Array(prompt.length + answer.length);
  ids.set(prompt);
  ids.set(answer, prompt.length);
  return { ids, labels: ids.slice().fill(IGNORED, 0, prompt.length) };
}

/** Scores of a row's tokens: one for each that is scored, in order. */
export interface RowScores {
  /** Natural logarithms of their probabilities, from the logits in float64. */
  readonly logprobs: Float64Array;
  /** 1 where the token is the likeliest of all (the first of equal ones), else 0. */
  readonly greedy: Uint8Array;
  /** The likeliest tokens in its place, best first, where `top` asks for them. */
  readonly top?: readonly (readonly TokenScore[])[];
}

/** A text that goes on: the tokens of `continuation` are scored, those of `context` are read. */
export interface Continuation {
  /** At least one token. */
  readonly context: Int32Array;
  readonly continuation: Int32Array;
}

/** The score of a whole continuation. */
export interface ContinuationScore {
  /** Sum of the log-probabilities of its tokens. */
  readonly logprob: number;
  /** Whether greedy decoding would write it. */
  readonly greedy: boolean;
}

/** How rows are scored. */
export interface ScoreOptions {
  /** So many of the likeliest tokens beside each score; by default 0. */
  readonly top?: number;
  /** Logits are divided by it, as where tokens are drawn at one; by default 1. */
  readonly temperature?: number;
  readonly signal?: AbortSignal;
  /** Hears how many of the rows are through. */
  readonly progress?: (rows: number) => void;
}

/**
 * Scores with one model. Rows are computed several at a time, by length; equal inputs are computed
 * once. Results have the order of the rows. Calls run one after the other. Every method throws
 * LMFLOW_SCORING_ROW for rows that the model cannot read.
 */
export interface ScoringSession {
  /** Log-probabilities of tokens. */
  score(rows: readonly ScoreRow[], options?: ScoreOptions): Promise<RowScores[]>;
  /** Sums over continuations. */
  continuations(
    pairs: readonly Continuation[],
    options?: Omit<ScoreOptions, 'top'>,
  ): Promise<ContinuationScore[]>;
  /**
   * What a head of one output (a reward model's, a value head's) says at the last token of each row;
   * of a classifier at the last whose id is not its config's `pad_token_id`, as in transformers.
   * Throws LMFLOW_SCORING_HEAD where the model's head has more.
   */
  values(
    rows: readonly Int32Array[],
    options?: Omit<ScoreOptions, 'top' | 'temperature'>,
  ): Promise<Float64Array>;
  /** Logits [ids.length, outputs of the head] of one row. */
  logits(ids: Int32Array): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** How a session computes. */
export interface SessionOptions {
  /** Most rows that are computed at once; by default as many as `scoring.batchTokens` holds. */
  readonly batchSize?: number;
}

/** Scores given tokens (plugin scoring). */
export interface Scorer {
  /**
   * A session for a model. The model is traced as it computes when a shape comes for the first time:
   * what changes that (a claim that is switched) wants a session of its own. Trained parameters are
   * read anew at every call.
   */
  open(model: Model, options?: SessionOptions): ScoringSession;
}
