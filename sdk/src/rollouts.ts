// Methods that learn from their own samples: the prompts, and the answers that the model in training
// draws to them. What answers are worth is in rewards.ts, how they are learned is each method's.
import type { AnswerPrompt } from './dataset.ts';
import type { Model } from './model/model.ts';
import type { AnswerToReward } from './rewards.ts';

/** A prompt that answers are drawn to. */
export interface RolloutPrompt {
  /** Its place in the data; with seed and round it decides the random numbers of its answers. */
  readonly id: string;
  /** For messages: `prompts.jsonl, line 3`. */
  readonly name: string;
  readonly prompt: AnswerPrompt;
  /** Tokens that the model reads before it answers: template or BOS included. */
  readonly ids: Int32Array;
  /** Fields of its record, for rewards. */
  readonly columns: Readonly<Record<string, unknown>>;
}

/** The prompts of a configuration. */
export interface PromptSet {
  readonly train: readonly RolloutPrompt[];
  /** Those of `evalDataset` or `validationSplit`. */
  readonly evaluation?: readonly RolloutPrompt[];
  /** Hash of both, as tokens; files made with another are stale. */
  readonly fingerprint: string;
  /** For the model card: sources, chat template, counts. */
  readonly description: Readonly<Record<string, unknown>>;
}

/** Which prompts are loaded. */
export interface PromptRequest {
  readonly model: Model;
  /** Longest prompt in tokens; longer ones are left out, and counted. */
  readonly maxTokens: number;
  readonly signal?: AbortSignal;
}

/**
 * How answers are drawn. What is left out has no effect, whatever the section `generate` and the
 * checkpoint say: answers come from the model's own distribution.
 */
export interface DrawSettings {
  /** Answers to each prompt. */
  readonly numGenerations: number;
  /** Most tokens of an answer. */
  readonly maxNewTokens: number;
  readonly minNewTokens?: number;
  /** Default 1; 0 takes the likeliest token. */
  readonly temperature?: number;
  /** Default 0, all tokens. */
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
}

/** Answers to be drawn. */
export interface DrawRequest {
  /** Also one in training: its parameters are read as they are now. */
  readonly model: Model;
  readonly prompts: readonly Pick<RolloutPrompt, 'id' | 'ids'>[];
  readonly settings: DrawSettings;
  readonly seed: number;
  /** Another one gives other answers to the same prompts. */
  readonly round: number;
  readonly signal?: AbortSignal;
  /** Hears how many answers are complete. */
  readonly progress?: (answers: number) => void;
}

/** An answer that was drawn. */
export interface Rollout {
  /** Index of its prompt in the request, and its own among the answers to it. */
  readonly prompt: number;
  readonly index: number;
  /** Its tokens, the EOS token at its end included where it has one. */
  readonly ids: Int32Array;
  /** Without special tokens. */
  readonly text: string;
  /** Whether it ended by itself, and was not cut at `maxNewTokens` or the context. */
  readonly ended: boolean;
  /** Log-probability of each token by the model itself, at temperature 1. */
  readonly logprobs: Float64Array;
  /** Log-probability of each token by the distribution that it was drawn from. */
  readonly drawnLogprobs: Float64Array;
  /** Seed of the answers to its prompt. */
  readonly seed: number;
}

/** Answers as rewards take them; `prompts` are those that they were drawn to. */
export function answersToReward(
  rollouts: readonly Pick<Rollout, 'prompt' | 'index' | 'ids' | 'text' | 'ended'>[],
  prompts: readonly Pick<RolloutPrompt, 'name' | 'prompt' | 'columns'>[],
): AnswerToReward[] {
  return rollouts.map(({ prompt: place, index, ids, text, ended }) => {
    const { prompt, columns, name } = prompts[place]!;
    return { prompt, columns, answer: text, ids, ended, name: `${name}, answer ${index + 1}` };
  });
}

/** Prompts and answers for methods that learn from their own samples. */
export interface RolloutSource {
  /**
   * Reads the prompts that `dataset` and `evalDataset` name, runs onDataset, and chooses the chat
   * template. Records with answers give their prompts. Throws LMFLOW_ROLLOUTS_NO_PROMPTS.
   */
  prompts(request: PromptRequest): Promise<PromptSet>;
  /**
   * Draws `numGenerations` answers to each prompt, prompt by prompt in order. They are decoded
   * together by the one generator; seed, round, prompt and index alone decide an answer's random
   * numbers, whatever is decoded beside it. Rejects with the signal's reason where that is aborted.
   */
  draw(request: DrawRequest): Promise<Rollout[]>;
}
