// POST /v1/completions: checks the body, plans a job per prompt (text or token ids) and formats the
// answer.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { PieceEvent, ScoredToken } from '../thread-messages.ts';
import { invalid } from './failures.ts';
import { generationOptions, parse, shared, type Refusal, type Served } from './parameters.ts';
import type { Answer, Plan, Usage } from './plan.ts';

const ids = z.array(z.int().min(0)).min(1);
const schema = z.strictObject({
  ...shared,
  prompt: z.union([z.string(), ids, z.array(z.string()).min(1), z.array(ids).min(1)]),
  logprobs: z.int().min(0).max(5).optional(),
  max_tokens: z.int().min(0).optional(),
  echo: z.boolean().optional(),
});

const refusals: Readonly<Record<string, Refusal>> = {
  best_of: { accepted: [1], why: 'ask for n samples and choose' },
  suffix: { accepted: [''], why: 'the model only continues a text' },
};

/** OpenAI's default where max_tokens is left out. */
const DEFAULT_MAX_TOKENS = 16;

/** Names of this endpoint's parameters. */
export const completionParameters: readonly string[] = Object.keys(schema.shape);

/** Plans a completion. Throws a Failure. */
export function planCompletion(body: unknown, { find, requestSettings }: Served): Plan {
  const { request, settings } = parse(schema, refusals, body, requestSettings);
  const { model, prompt, n = 1 } = request;
  find(model);
  if (request.max_tokens === 0 && !request.echo) {
    throw invalid(
      "'max_tokens' is 0: there is nothing to answer without 'echo'",
      'max_tokens',
      'invalid_value',
    );
  }
  const prompts = (
    typeof prompt === 'string' || typeof prompt[0] === 'number' ? [prompt] : prompt
  ) as readonly (string | number[])[];
  const options = generationOptions(
    request,
    request.max_tokens ?? DEFAULT_MAX_TOKENS,
    request.logprobs,
  );
  return {
    jobs: prompts.map((text) => ({
      model,
      prompt: text,
      options,
      ...(request.echo ? { echo: true } : {}),
      ...(settings ? { settings } : {}),
    })),
    n,
    stream: request.stream === true,
    includeUsage: request.stream_options?.include_usage === true,
    answer: new CompletionAnswer(model, prompts.length * n, request.logprobs !== undefined),
    user: request.user ?? request.safety_identifier,
  };
}

interface Choice {
  text: string;
  offset: number;
  scores: ScoredToken[];
  finish: string | null;
}

class CompletionAnswer implements Answer {
  readonly #head: { id: string; object: 'text_completion'; created: number; model: string };
  readonly #choices: Choice[];
  readonly #scored: boolean;

  constructor(model: string, choices: number, scored: boolean) {
    this.#head = {
      id: `cmpl-${randomUUID()}`,
      object: 'text_completion',
      created: Math.floor(Date.now() / 1000),
      model,
    };
    this.#choices = Array.from({ length: choices }, () => ({
      text: '',
      offset: 0,
      scores: [],
      finish: null,
    }));
    this.#scored = scored;
  }

  begin(): object[] {
    return [];
  }

  piece(index: number, { text, scores = [], finishReason }: PieceEvent): object[] {
    const choice = this.#choices[index]!;
    choice.text += text;
    choice.scores.push(...scores);
    choice.finish = finishReason ?? null;
    if (text === '' && scores.length === 0 && finishReason === undefined) return [];
    const logprobs = this.#scored ? logprobsOf(scores, choice.offset) : null;
    choice.offset += length(scores);
    return [{ ...this.#head, choices: [{ index, text, logprobs, finish_reason: choice.finish }] }];
  }

  usage(usage: Usage): object {
    return { ...this.#head, choices: [], usage };
  }

  whole(usage: Usage): object {
    const choices = this.#choices.map(({ text, scores, finish }, index) => ({
      index,
      text,
      logprobs: this.#scored ? logprobsOf(scores, 0) : null,
      finish_reason: finish,
    }));
    return { ...this.#head, choices, usage };
  }
}

function length(scores: readonly ScoredToken[]): number {
  return scores.reduce((sum, { text }) => sum + text.length, 0);
}

function logprobsOf(scores: readonly ScoredToken[], start: number): object {
  let offset = start;
  return {
    tokens: scores.map(({ text }) => text),
    token_logprobs: scores.map(({ logprob }) => (Number.isNaN(logprob) ? null : logprob)),
    top_logprobs: scores.map(({ top, logprob: own }) =>
      Number.isNaN(own)
        ? null
        : Object.fromEntries(top.map(({ text, logprob }) => [text, logprob])),
    ),
    text_offset: scores.map(({ text }) => (offset += text.length) - text.length),
  };
}
