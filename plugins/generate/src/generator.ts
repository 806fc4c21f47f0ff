// The service GENERATOR: turns requests into text. One scheduler per model decodes all its requests
// together; how a step is computed is in decode/.
import { plainContent } from '@lmflow/plugin-chat-templates';
import {
  mediaOf,
  type ChosenToken,
  type DecodeSession,
  type FinishReason,
  type GenerateRequest,
  type GenerationDefaults,
  type GenerationOptions,
  type Hooks,
  type Logger,
  type RequestSetting,
  type Rows,
  type TextGenerator,
  type TextPiece,
  type TextRequest,
  type TextResult,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { modelWithAdapter } from './adapter-view.ts';
import { decodeBeams } from './beam/beam-decoding.ts';
import type { Beam } from './beam/beam-search.ts';
import type { StepRunner } from './decode/step-runner.ts';
import {
  contextInvalid,
  mediaRefused,
  promptEmpty,
  promptTooLong,
  streamingBeams,
} from './errors.ts';
import { PieceQueue } from './piece-queue.ts';
import { checkedSettings } from './request-settings.ts';
import { logitsProcessor } from './sampling/processor.ts';
import { Scheduler } from './scheduler.ts';
import { configuredOptions, decideConfig } from './decoding-config.ts';
import { StreamedSequence, type PreparedRequest } from './streamed-sequence.ts';
import { AnswerPieces } from './text/answer-pieces.ts';

export interface GeneratorSetup {
  /** Opens a session through the hook onGenerate. */
  readonly open: (request: GenerateRequest) => Promise<DecodeSession>;
  /** A runner for beam search, which copies and reorders its rows and so bypasses the hook. */
  readonly openRunner: (request: GenerateRequest) => StepRunner;
  readonly onLogits: Hooks['onLogits'];
  /** What requests may set for plugins. */
  readonly requestSettings: Rows<RequestSetting>;
  /** The section `generate`: defaults of every request. */
  readonly defaults: GenerationOptions;
  readonly maxBatchSize: number;
  readonly contextLength: number | undefined;
  readonly log: Logger;
}

interface GrowingResult {
  text: string;
  readonly tokens: ChosenToken[];
  finishReason: FinishReason;
}

export class Generator implements TextGenerator {
  readonly #setup: GeneratorSetup;
  readonly #schedulers = new Map<Model, Scheduler>();
  readonly #searches = new Map<
    Model,
    { readonly runner: StepRunner; readonly last: Promise<unknown> }
  >();
  readonly #warned = new WeakSet<Model>();

  constructor(setup: GeneratorSetup) {
    this.#setup = setup;
  }

  defaults(model: Model): GenerationDefaults {
    return {
      contextLength: this.#contextOf(model),
      options: configuredOptions(model, 0, this.#setup.defaults),
    };
  }

  async encodePrompt({
    model: base,
    adapter,
    prompt,
    tools,
  }: Pick<TextRequest, 'model' | 'adapter' | 'prompt' | 'tools'>): Promise<Int32Array> {
    if (prompt instanceof Int32Array) return prompt;
    const model = modelWithAdapter(base, adapter);
    const { tokenizer } = model;
    if (typeof prompt === 'string') return this.#encodeText(model, prompt);
    const media = prompt.flatMap(({ content }) => mediaOf(content))[0];
    if (media) throw mediaRefused(media.part.type);
    const content = plainContent(tokenizer, { messages: prompt, tools });
    const rendered = tokenizer.render(content.messages, {
      addGenerationPrompt: true,
      ...(content.tools ? { tools: content.tools } : {}),
    });
    const { text, plain } = content.restore(rendered);
    const [encoding] = await tokenizer.encodeBatch([text], { plain: [plain] });
    return encoding!.ids;
  }

  async inference(request: TextRequest): Promise<TextResult[]> {
    const prepared = await this.#prepare(request);
    if (prepared.config.numBeams > 1) return this.#beams(prepared);
    const results = Array.from(
      { length: prepared.config.numReturnSequences },
      (): GrowingResult => ({
        text: '',
        tokens: [],
        finishReason: 'length',
      }),
    );
    for await (const { index, text, tokens, finishReason } of this.#stream(prepared)) {
      const result = results[index]!;
      result.text += text;
      result.tokens.push(...tokens);
      if (finishReason) result.finishReason = finishReason;
    }
    return results.map((result) => ({
      ...result,
      ids: Int32Array.from(result.tokens, ({ id }) => id),
      promptTokens: prepared.prompt.length,
    }));
  }

  async *streamInference(request: TextRequest): AsyncGenerator<TextPiece> {
    const prepared = await this.#prepare(request);
    if (prepared.config.numBeams > 1) throw streamingBeams();
    yield* this.#stream(prepared);
  }

  /** The searches of one model run one after the other. */
  async #beams(prepared: PreparedRequest): Promise<TextResult[]> {
    const { model } = prepared;
    const { runner, last } = this.#searches.get(model) ?? {
      runner: this.#setup.openRunner({ model, contextLength: this.#contextOf(model) }),
      last: Promise.resolve(),
    };
    const search = last.then(() => decodeBeams(runner, prepared));
    this.#searches.set(model, { runner, last: search.catch(() => undefined) });
    const { beams, aborted } = await search;
    return beams.map((beam, index) => resultOf(prepared, beam, index, aborted));
  }

  async dispose(): Promise<void> {
    for (const { runner, last } of this.#searches.values()) {
      await last;
      await runner.dispose();
    }
    const schedulers = [...this.#schedulers.values()];
    this.#schedulers.clear();
    for (const scheduler of schedulers) await scheduler.dispose();
  }

  async *#stream(prepared: PreparedRequest): AsyncGenerator<TextPiece> {
    const { model, config, signal } = prepared;
    const queue = new PieceQueue<TextPiece>();
    const sequences = Array.from(
      { length: config.numReturnSequences },
      (_, index) => new StreamedSequence(prepared, index, queue),
    );
    const abort = (): void => {
      for (const sequence of sequences) sequence.finish('abort');
    };
    if (signal?.aborted) abort();
    else for (const sequence of sequences) this.#schedulerOf(model).submit(sequence);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      for (let left = sequences.length; left > 0;) {
        const piece = await queue.next();
        if (piece.finishReason) left -= 1;
        yield piece;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      for (const sequence of sequences) sequence.leave();
    }
  }

  async #prepare({
    model: base,
    adapter,
    options = {},
    settings: requested,
    signal,
    ...request
  }: TextRequest): Promise<PreparedRequest> {
    const model = modelWithAdapter(base, adapter);
    const context = this.#contextOf(model);
    let prompt = await this.encodePrompt({ model, ...request });
    if (prompt.length === 0) throw promptEmpty();
    const { config, ignored } = decideConfig(model, prompt.length, options, this.#setup.defaults);
    if (ignored.length > 0 && !this.#warned.has(model)) {
      this.#warned.add(model);
      this.#setup.log.warn(
        `generation_config.json of ${model.source}: not supported and ignored: ${ignored.join(', ')}`,
      );
    }
    if (prompt.length >= context) {
      if (config.truncation === 'error') throw promptTooLong(prompt.length, context);
      const kept = Math.max(
        1,
        context - (config.maxNewTokens === Infinity ? Math.ceil(context / 4) : config.maxNewTokens),
      );
      this.#setup.log.warn(
        `the prompt has ${prompt.length} tokens, the context ${context}: only its last ${kept} tokens are read`,
      );
      prompt = prompt.slice(-kept);
    }
    const settings = checkedSettings(this.#setup.requestSettings, requested);
    return {
      model,
      prompt,
      config: {
        ...config,
        maxNewTokens: Math.min(config.maxNewTokens, context - prompt.length),
      },
      settings,
      process: logitsProcessor(this.#setup.onLogits, {
        model,
        promptTokens: prompt.length,
        settings,
      }),
      signal,
    };
  }

  #schedulerOf(model: Model): Scheduler {
    const known = this.#schedulers.get(model);
    if (known) return known;
    const made = new Scheduler(
      () => this.#setup.open({ model, contextLength: this.#contextOf(model) }),
      this.#setup.maxBatchSize,
    );
    this.#schedulers.set(model, made);
    return made;
  }

  #contextOf({ architecture: { maxPositions, rope } }: Model): number {
    const { contextLength = maxPositions } = this.#setup;
    if (!rope && contextLength > maxPositions) throw contextInvalid(contextLength, maxPositions);
    return contextLength;
  }

  // The tokenizer adds BOS where its model wants it; an empty text begins with BOS always.
  async #encodeText({ tokenizer }: Model, text: string): Promise<Int32Array> {
    const [encoding] = await tokenizer.encodeBatch([text], { addSpecialTokens: true });
    const { ids } = encoding!;
    const whole = tokenizer.addsEos && ids.at(-1) === tokenizer.eosId ? ids.slice(0, -1) : ids;
    return whole.length === 0 && tokenizer.bosId !== undefined
      ? Int32Array.of(tokenizer.bosId)
      : whole;
  }
}

/** The text of a beam, cut at stop strings. */
function resultOf(
  { model, prompt, config }: PreparedRequest,
  { choices, score }: Beam,
  index: number,
  aborted: boolean,
): TextResult {
  const answer = new AnswerPieces(model.tokenizer, prompt, config, index);
  const pieces: TextPiece[] = [];
  for (const choice of choices) {
    if (!answer.stopped) pieces.push(...[answer.push(choice) ?? []].flat());
  }
  const ended = answer.stopped || config.eosTokenId.includes(choices.at(-1)?.id ?? -1);
  const unfinished = aborted ? 'abort' : 'length';
  pieces.push(answer.end(ended ? 'stop' : unfinished));
  const tokens = pieces.flatMap((piece) => piece.tokens);
  return {
    text: pieces.map(({ text }) => text).join(''),
    tokens,
    ids: Int32Array.from(tokens, ({ id }) => id),
    promptTokens: prompt.length,
    score,
    finishReason: pieces.at(-1)!.finishReason!,
  };
}
