// A model and a generator without weights: one token per character, answers that follow from the
// prompt, each step blocks the thread a little.
import { setImmediate as turn } from 'node:timers/promises';
import {
  stringifyJson,
  textOf,
  type GenerationDefaults,
  type GenerationOptions,
  type Scorer,
  type RequestSettings,
  type TextGenerator,
  type TextPiece,
  type TextRequest,
  type TextResult,
  type Tokenizer,
  inputError,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { toolCallFormats } from '@lmflow/plugin-chat-templates';
import { captureLog, type CapturedLog } from 'lmflow/testing';
import {
  serveOptions,
  startServer,
  type RunningServer,
  type ServeOptions,
} from '@lmflow/plugin-serve';

/** Template of Hermes' kind, as far as serve looks at it. */
export const HERMES =
  '{%- if tools %}<tool_call>\n{"name": <name>, "arguments": <args>}\n</tool_call>{%- endif %}';

export function fakeModel(chatTemplate?: string, maxPositions = 1024): Model {
  const encode: Tokenizer['encode'] = (text) => ({
    ids: Int32Array.from(text, (character) => character.charCodeAt(0)),
    offsets: Int32Array.from({ length: 2 * text.length }, (_, at) => Math.ceil(at / 2)),
  });
  const tokenizer: Partial<Tokenizer> = {
    vocabularySize: 65_536,
    chatTemplate,
    encode,
    encodeBatch: async (texts) => texts.map((text) => encode(text)),
    decode: (ids) => String.fromCharCode(...Array.from(ids)),
  };
  return {
    source: 'fake',
    folder: '',
    tokenizer,
    architecture: { maxPositions, vocabularySize: 65_536 },
  } as unknown as Model;
}

export class FakeGenerator implements TextGenerator {
  readonly seen: {
    prompt: string;
    options: GenerationOptions;
    tools: readonly unknown[] | undefined;
    /** For plugins. */
    settings?: RequestSettings;
  }[] = [];
  running = 0;
  mostRunning = 0;
  aborted = 0;
  /** Milliseconds of blocking per token. */
  step = 0;
  /** What is answered; by default the prompt backwards. */
  answer = (prompt: string): string => [...prompt].reverse().join('');
  /** What configuration and checkpoint set. */
  configured: GenerationOptions = {};
  #tools: readonly unknown[] | undefined;

  defaults({ architecture }: Model): GenerationDefaults {
    return { contextLength: architecture.maxPositions, options: this.configured };
  }

  async encodePrompt({
    model,
    prompt,
    tools,
  }: Pick<TextRequest, 'model' | 'prompt' | 'tools'>): Promise<Int32Array> {
    if (prompt instanceof Int32Array) return prompt;
    this.#tools = tools;
    if (typeof prompt !== 'string' && model.tokenizer.chatTemplate === undefined) {
      throw inputError('LMFLOW_TEMPLATE_MISSING', 'fake has no chat template');
    }
    const text =
      typeof prompt === 'string'
        ? prompt
        : prompt
            .map(
              ({ role, content, tool_calls: calls }) =>
                `${role}:${textOf(content)}${calls === undefined ? '' : stringifyJson(calls)}`,
            )
            .join('|');
    return Int32Array.from(text, (character) => character.charCodeAt(0));
  }

  async inference(): Promise<TextResult[]> {
    throw new Error('serve streams');
  }

  async *streamInference({
    prompt,
    options = {},
    settings,
    signal,
  }: TextRequest): AsyncIterable<TextPiece> {
    const text = String.fromCharCode(...(prompt as Int32Array));
    this.seen.push({
      prompt: text,
      options,
      tools: this.#tools,
      ...(settings ? { settings } : {}),
    });
    if (text.includes('EXPLODE')) throw new Error('a secret of the inside');
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    let complete = false;
    try {
      const answer = this.answer(text);
      const length = Math.min(answer.length, options.maxNewTokens ?? Infinity);
      for (let place = 0; place < length; place++) {
        for (let index = 0; index < (options.numReturnSequences ?? 1); index++) {
          for (const end = performance.now() + this.step; performance.now() < end;);
          await turn();
          signal?.throwIfAborted();
          const id = answer.charCodeAt(place);
          const top = Array.from({ length: options.logprobs ?? 0 }, (_, rank) => ({
            id: id + rank,
            logprob: -0.5 - rank,
          }));
          const finishReason =
            place + 1 < length
              ? {}
              : { finishReason: length < answer.length ? ('length' as const) : ('stop' as const) };
          yield {
            index,
            text: answer[place]!,
            tokens: [
              {
                id,
                text: answer[place]!,
                logprob: -0.5,
                ...(options.logprobs === undefined ? {} : { top }),
              },
            ],
            ...finishReason,
          };
        }
      }
      complete = true;
    } finally {
      if (!complete) this.aborted++;
      this.running--;
    }
  }
}

/** A token's score is its code, negative; the likeliest are the characters after it. */
export const fakeScorer: Scorer = {
  open: () => ({
    score: async (rows, { top = 0 } = {}) =>
      rows.map(({ ids }) => {
        const scored = ids.slice(1);
        return {
          logprobs: Float64Array.from(scored, (id) => -id),
          greedy: new Uint8Array(scored.length),
          top: [...scored].map((id) =>
            Array.from({ length: top }, (_, more) => ({ id: id + more, logprob: -id - more })),
          ),
        };
      }),
    continuations: () => Promise.reject(new Error('serve scores prompts alone')),
    values: () => Promise.reject(new Error('serve scores prompts alone')),
    logits: () => Promise.reject(new Error('serve scores prompts alone')),
    dispose: async () => undefined,
  }),
};

export interface FakeServer {
  readonly server: RunningServer;
  readonly url: string;
  readonly generator: FakeGenerator;
  readonly log: CapturedLog;
}

/**
 * Runs `work` with a server on a free port of 127.0.0.1 that serves `fake` (with tools) and `plain`
 * (without a template).
 */
export async function withServer(
  options: Partial<ServeOptions>,
  work: (fake: FakeServer) => Promise<void>,
): Promise<void> {
  const generator = new FakeGenerator();
  const log = captureLog();
  const models = new Map([
    ['fake', fakeModel(HERMES)],
    ['plain', fakeModel()],
  ]);
  const server = await startServer({
    generator,
    scorer: () => fakeScorer,
    models,
    toolCallFormats,
    log,
    version: '0.0.0',
    options: { ...serveOptions.parse({}), port: 0, shutdownTimeout: 2, ...options },
  });
  try {
    await work({ server, url: server.url, generator, log });
  } finally {
    await server.stop();
  }
}
