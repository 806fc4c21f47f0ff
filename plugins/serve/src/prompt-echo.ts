// The prompt as the beginning of an answer: its text, and where they are asked for the scores of its
// tokens, as the harness of EleutherAI reads them.
import type { Scorer, ScoringSession } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import type { ScoredToken } from './thread-messages.ts';
import { scoreTokens, tokenTexts } from './token-scores.ts';

/** A prompt, as it was given and as it is fed. */
export interface EchoedPrompt {
  readonly model: Model;
  readonly prompt: string | readonly number[];
  readonly ids: Int32Array;
  /** So many of the likeliest tokens beside each; undefined: no scores. */
  readonly logprobs: number | undefined;
  readonly signal: AbortSignal;
}

export class PromptEcho {
  readonly #scorer: () => Scorer;
  readonly #sessions = new Map<Model, ScoringSession>();

  constructor(scorer: () => Scorer) {
    this.#scorer = scorer;
  }

  async of({ model, prompt, ids, logprobs, signal }: EchoedPrompt): Promise<{
    readonly text: string;
    readonly scores?: readonly ScoredToken[];
  }> {
    const { tokenizer } = model;
    const text =
      typeof prompt === 'string' ? prompt : tokenizer.decode(ids, { skipSpecialTokens: false });
    if (logprobs === undefined) return { text };
    const session = this.#sessions.get(model) ?? this.#scorer().open(model);
    this.#sessions.set(model, session);
    const [found] = await session.score([{ ids }], { top: logprobs, signal });
    const texts = tokenTexts(tokenizer, ids, text, typeof prompt === 'string');
    const tokens = texts.map((own, place) => ({
      id: ids[place]!,
      text: own,
      logprob: found!.logprobs[place - 1] ?? NaN,
      top: found!.top?.[place - 1] ?? [],
    }));
    return { text, scores: scoreTokens(tokenizer, tokens, undefined) };
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.dispose()));
    this.#sessions.clear();
  }
}
