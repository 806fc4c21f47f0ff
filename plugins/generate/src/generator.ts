// The service GENERATOR: from a request to pieces of text. One scheduler a model decodes everything
// that is asked of it at the same time.
import {
  mediaOf,
  type ChosenToken,
  type DecodeSession,
  type FinishReason,
  type GenerateRequest,
  type GenerationDefaults,
  type GenerationOptions,
  type Logger,
  type TextGenerator,
  type TextPiece,
  type TextRequest,
  type TextResult,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { adapted } from './adapted.ts';
import { decodeBeams } from './beam/decode.ts';
import type { StepRunner } from './decode/runner.ts';
import {
  contextInvalid,
  mediaRefused,
  promptEmpty,
  promptTooLong,
  streamingBeams,
} from './errors.ts';
import { Chooser } from './sampling/chooser.ts';
import { Scheduler } from './scheduler.ts';
import { configuredOptions, decideSettings, type Settings } from './settings.ts';
import { PieceQueue } from './stream.ts';
import { Answer } from './text/answer.ts';

export interface GeneratorSetup {
  /** Asks the hook onGenerate. */
  readonly open: (request: GenerateRequest) => Promise<DecodeSession>;
  /** A runner for beam search, which does without the hook: its beams are copied and reordered. */
  readonly openRunner: (request: GenerateRequest) => StepRunner;
  /** The section `generate`: defaults of every request. */
  readonly defaults: GenerationOptions;
  readonly maxBatchSize: number;
  readonly contextLength: number | undefined;
  readonly log: Logger;
}

/** A request with everything decided. */
interface Prepared {
  readonly model: Model;
  readonly prompt: Int32Array;
  readonly settings: Settings;
  readonly room: number;
  readonly signal: AbortSignal | undefined;
}

interface Gathered {
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

  encodePrompt({
    model: base,
    adapter,
    prompt,
    tools,
  }: Pick<TextRequest, 'model' | 'adapter' | 'prompt' | 'tools'>): Int32Array {
    if (prompt instanceof Int32Array) return prompt;
    const model = adapted(base, adapter);
    const { tokenizer } = model;
    if (typeof prompt === 'string') return this.#encodeText(model, prompt);
    const media = prompt.flatMap(({ content }) => mediaOf(content))[0];
    if (media) throw mediaRefused(media.part.type);
    return tokenizer.encode(
      tokenizer.render(prompt, { addGenerationPrompt: true, ...(tools ? { tools } : {}) }),
    ).ids;
  }

  async inference(request: TextRequest): Promise<TextResult[]> {
    const prepared = this.#prepare(request);
    if (prepared.settings.numBeams > 1) return this.#beams(prepared);
    const results = Array.from({ length: prepared.settings.numReturnSequences }, (): Gathered => ({
      text: '',
      tokens: [],
      finishReason: 'length',
    }));
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
    const prepared = this.#prepare(request);
    if (prepared.settings.numBeams > 1) throw streamingBeams();
    yield* this.#stream(prepared);
  }

  /** One search after the other on a model. */
  async #beams({ model, prompt, settings, room, signal }: Prepared): Promise<TextResult[]> {
    const limited = { ...settings, maxNewTokens: Math.min(settings.maxNewTokens, room) };
    const { runner, last } = this.#searches.get(model) ?? {
      runner: this.#setup.openRunner({ model, contextLength: this.#contextOf(model) }),
      last: Promise.resolve(),
    };
    const search = last.then(() => decodeBeams(runner, prompt, limited, signal));
    this.#searches.set(model, { runner, last: search.catch(() => undefined) });
    const { beams, aborted } = await search;
    return beams.map(({ choices, score }, index) => {
      const answer = new Answer(model.tokenizer, prompt, settings, index);
      const pieces: TextPiece[] = [];
      for (const choice of choices) {
        if (!answer.stopped) pieces.push(...[answer.push(choice) ?? []].flat());
      }
      const ended = answer.stopped || settings.eosTokenId.includes(choices.at(-1)?.id ?? -1);
      pieces.push(answer.end(ended ? 'stop' : aborted ? 'abort' : 'length'));
      const tokens = pieces.flatMap((piece) => piece.tokens);
      return {
        text: pieces.map(({ text }) => text).join(''),
        tokens,
        ids: Int32Array.from(tokens, ({ id }) => id),
        promptTokens: prompt.length,
        score,
        finishReason: pieces.at(-1)!.finishReason!,
      };
    });
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

  async *#stream({ model, prompt, settings, room, signal }: Prepared): AsyncGenerator<TextPiece> {
    const queue = new PieceQueue<TextPiece>();
    const scheduler = this.#schedulerOf(model);
    const open = new Set<number>();
    const finish = (index: number, piece: TextPiece): void => {
      if (open.delete(index)) queue.push(piece);
    };
    const answers = Array.from(
      { length: settings.numReturnSequences },
      (_, index) => new Answer(model.tokenizer, prompt, settings, index),
    );
    const limited = { ...settings, maxNewTokens: Math.min(settings.maxNewTokens, room) };
    const abort = (): void => {
      answers.forEach((answer, index) => {
        finish(index, answer.end('abort'));
      });
    };
    answers.forEach((answer, index) => {
      open.add(index);
      const chooser = new Chooser(limited, prompt, index);
      let told = 0;
      const onTokens = (): void => {
        while (told < chooser.choices.length && open.has(index)) {
          const piece = answer.push(chooser.choices[told++]!);
          if (piece) queue.push(piece);
          if (answer.stopped) finish(index, answer.end('stop'));
        }
        if (chooser.ended) finish(index, answer.end(chooser.atEnd ? 'stop' : 'length'));
      };
      if (signal?.aborted !== true) {
        scheduler.submit({
          prompt,
          chooser,
          onTokens,
          wanted: () => open.has(index),
          onFailure: (error) => {
            queue.fail(error);
          },
        });
      }
    });
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      for (let left = answers.length; left > 0;) {
        const piece = await queue.next();
        if (piece.finishReason) left -= 1;
        yield piece;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      open.clear();
    }
  }

  #prepare({ model: base, adapter, options = {}, signal, ...request }: TextRequest): Prepared {
    const model = adapted(base, adapter);
    const context = this.#contextOf(model);
    let prompt = this.encodePrompt({ model, ...request });
    if (prompt.length === 0) throw promptEmpty();
    const { settings, ignored } = decideSettings(
      model,
      prompt.length,
      options,
      this.#setup.defaults,
    );
    if (ignored.length > 0 && !this.#warned.has(model)) {
      this.#warned.add(model);
      this.#setup.log.warn(
        `generation_config.json of ${model.source}: ${ignored.join(', ')} ${ignored.length > 1 ? 'are' : 'is'} not supported and left out`,
      );
    }
    if (prompt.length >= context) {
      if (settings.truncation === 'error') throw promptTooLong(prompt.length, context);
      const kept = Math.max(
        1,
        context -
          (settings.maxNewTokens === Infinity ? Math.ceil(context / 4) : settings.maxNewTokens),
      );
      this.#setup.log.warn(
        `the prompt has ${prompt.length} tokens, the context is ${context}: only its last ${kept} tokens are read`,
      );
      prompt = prompt.slice(-kept);
    }
    return { model, prompt, settings, room: context - prompt.length, signal };
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

  // As the tokenizer adds BOS; a text of nothing begins with it too.
  #encodeText({ tokenizer }: Model, text: string): Int32Array {
    const { ids } = tokenizer.encode(text, { addSpecialTokens: true });
    const whole = tokenizer.addsEos && ids.at(-1) === tokenizer.eosId ? ids.slice(0, -1) : ids;
    return whole.length === 0 && tokenizer.bosId !== undefined
      ? Int32Array.of(tokenizer.bosId)
      : whole;
  }
}
