// POST /v1/chat/completions: plans the job of a chat and formats its answer. Its body is checked in
// chat-request.ts.
import { randomUUID } from 'node:crypto';
import type { ToolCall } from '@lmflow/sdk';
import type { PieceEvent, ScoredToken } from '../thread-messages.ts';
import { readChat, type ChatRequest } from './chat-request.ts';
import { generationOptions, type Served } from './parameters.ts';
import type { Answer, Plan, Usage } from './plan.ts';

/** Plans a chat answer. Throws a Failure. */
export function planChat(body: unknown, served: Served): Plan {
  const { request, messages, tools, settings } = readChat(body, served);
  const { model, n = 1 } = request;
  const scored = request.logprobs === true;
  const options = generationOptions(
    request,
    request.max_completion_tokens ?? request.max_tokens,
    scored ? (request.top_logprobs ?? 0) : undefined,
  );
  return {
    jobs: [
      {
        model,
        prompt: messages,
        options,
        ...(tools ? { tools } : {}),
        ...(settings ? { settings } : {}),
      },
    ],
    n,
    stream: request.stream === true,
    includeUsage: request.stream_options?.include_usage === true,
    answer: new ChatAnswer(request, n, scored),
    user: request.user ?? request.safety_identifier,
  };
}

interface Choice {
  text: string;
  scores: ScoredToken[];
  calls: ToolCall[];
  finish: string | null;
}

class ChatAnswer implements Answer {
  readonly #head: { id: string; created: number; model: string };
  readonly #choices: Choice[];
  readonly #scored: boolean;

  constructor({ model }: ChatRequest, n: number, scored: boolean) {
    this.#head = { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
    this.#choices = Array.from({ length: n }, () => ({
      text: '',
      scores: [],
      calls: [],
      finish: null,
    }));
    this.#scored = scored;
  }

  begin(): object[] {
    return this.#choices.map((_, index) => this.#chunk(index, { role: 'assistant', content: '' }));
  }

  piece(index: number, event: PieceEvent): object[] {
    const { text, calls = [], scores = [], finishReason } = event;
    const choice = this.#choices[index]!;
    choice.text += text;
    choice.scores.push(...scores);
    const first = choice.calls.length;
    choice.calls.push(...calls);
    const chunks: object[] = [];
    if (text !== '' || scores.length > 0) {
      chunks.push(this.#chunk(index, text === '' ? {} : { content: text }, scores));
    }
    calls.forEach((call, place) =>
      chunks.push(this.#chunk(index, { tool_calls: [{ index: first + place, ...call }] })),
    );
    if (finishReason !== undefined) {
      choice.finish = finishReason;
      chunks.push(this.#chunk(index, {}, [], finishReason));
    }
    return chunks;
  }

  usage(usage: Usage): object {
    return { ...this.#head, object: 'chat.completion.chunk', choices: [], usage };
  }

  whole(usage: Usage): object {
    const choices = this.#choices.map(({ text, scores, calls, finish }, index) => ({
      index,
      message: {
        role: 'assistant',
        content: calls.length > 0 && text === '' ? null : text,
        refusal: null,
        ...(calls.length > 0 ? { tool_calls: calls } : {}),
      },
      logprobs: this.#scored ? logprobsOf(scores) : null,
      finish_reason: finish,
    }));
    return { ...this.#head, object: 'chat.completion', choices, usage };
  }

  #chunk(
    index: number,
    delta: object,
    scores: readonly ScoredToken[] = [],
    finish: string | null = null,
  ): object {
    const logprobs = scores.length > 0 ? logprobsOf(scores) : null;
    return {
      ...this.#head,
      object: 'chat.completion.chunk',
      choices: [{ index, delta, logprobs, finish_reason: finish }],
    };
  }
}

function logprobsOf(scores: readonly ScoredToken[]): object {
  const scoreOf = ({ text, logprob }: { text: string; logprob: number }): object => ({
    token: text,
    logprob,
    bytes: bytesOf(text),
  });
  return {
    content: scores.map((score) => ({ ...scoreOf(score), top_logprobs: score.top.map(scoreOf) })),
    refusal: null,
  };
}

/** Null where the token is part of a character. */
function bytesOf(text: string): number[] | null {
  return text.includes('\ufffd') ? null : [...Buffer.from(text)];
}
