// Chooses the tokens of one sequence: rules, plugins, filters, then the likeliest token or a draw.
// Draw i depends only on the seed, the sequence's index and i.
import {
  randomStream,
  type RandomStream,
  type RequestSettings,
  type TokenChooser,
  type TokenScore,
} from '@lmflow/sdk';
import { logSumExp } from '@lmflow/sdk/model';
import type { DecodingConfig } from '../decoding-config.ts';
import { argmax, draw, minP, softmax, temperature, topK, topP } from './filters.ts';
import type { LogitsProcessor } from './processor.ts';
import { applyRules, changesNothing, historyOf } from './rules.ts';
import { likeliest } from './scores.ts';

/** A chosen token; it has scores only where they are asked for, since they take long to compute. */
export interface Choice {
  readonly id: number;
  readonly logprob?: number;
  readonly drawnLogprob?: number;
  readonly top?: readonly TokenScore[];
}

/** What plugins read and change when a token is chosen. */
export interface PluginInfluence {
  readonly settings: RequestSettings;
  readonly process?: LogitsProcessor | undefined;
  /** Takes what `process` throws, which ends this sequence and no other. */
  readonly onFailure?: (error: unknown) => void;
}

export class Chooser implements TokenChooser {
  readonly settings: RequestSettings;
  /** The chosen tokens, in order. */
  readonly choices: Choice[] = [];
  readonly #config: DecodingConfig;
  readonly #ids: number[];
  readonly #seen: Set<number>;
  readonly #counts = new Map<number, number>();
  readonly #random: RandomStream;
  readonly #ends: ReadonlySet<number>;
  readonly #plain: boolean;
  readonly #index: number;
  readonly #plugins: PluginInfluence;
  #ended = false;
  #failed = false;

  /** `index` is the sequence's within its request. */
  constructor(
    config: DecodingConfig,
    prompt: Int32Array,
    index: number,
    plugins: PluginInfluence = { settings: {} },
  ) {
    this.settings = plugins.settings;
    this.#config = config;
    this.#index = index;
    this.#plugins = plugins;
    this.#ids = [...prompt];
    this.#seen = new Set(prompt);
    this.#random = randomStream(config.seed, 'generate', index);
    this.#ends = new Set(config.eosTokenId);
    this.#plain = changesNothing(config) && plugins.process === undefined;
  }

  get ended(): boolean {
    return this.#ended || this.#failed || this.choices.length >= this.#config.maxNewTokens;
  }

  /** Whether the last token is an end-of-sequence token. */
  get atEnd(): boolean {
    return this.#ended;
  }

  choose(logits: Float32Array): number {
    const { doSample, minNewTokens } = this.#config;
    const place = this.choices.length;
    if (doSample) {
      const probabilities = this.probabilities(logits);
      const drawn = draw(probabilities, this.#random.uniform(place));
      this.#add(drawn, logits, probabilities);
      return drawn;
    }
    const token = argmax(
      this.#plain && place >= minNewTokens ? logits : this.#processed(logits, []),
    );
    this.take(token, logits);
    return token;
  }

  probabilities(logits: Float32Array, ahead: readonly number[] = []): Float64Array {
    const processed = this.#processed(logits, ahead);
    const config = this.#config;
    if (!config.doSample) {
      return new Float64Array(processed.length).fill(1, argmax(processed), argmax(processed) + 1);
    }
    temperature(processed, config.temperature);
    topK(processed, config.topK);
    topP(processed, config.topP);
    minP(processed, config.minP);
    return softmax(processed);
  }

  take(token: number, logits: Float32Array): void {
    const { doSample, drawnLogprobs } = this.#config;
    this.#add(token, logits, doSample && drawnLogprobs ? this.probabilities(logits) : undefined);
  }

  /** `probabilities`: those that the token was drawn by; undefined for the likeliest one. */
  #add(token: number, logits: Float32Array, probabilities: Float64Array | undefined): void {
    this.choices.push({
      id: token,
      ...this.#scores(token, logits),
      ...(this.#config.drawnLogprobs
        ? { drawnLogprob: probabilities ? Math.log(probabilities[token]!) : 0 }
        : {}),
    });
    this.#ids.push(token);
    this.#seen.add(token);
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
    if (this.#ends.has(token)) this.#ended = true;
  }

  #scores(token: number, logits: Float32Array): Omit<Choice, 'id'> {
    const { logprobs } = this.#config;
    if (logprobs === undefined) return {};
    const normalizer = logSumExp(logits);
    return { logprob: logits[token]! - normalizer, top: likeliest(logits, logprobs, normalizer) };
  }

  #processed(logits: Float32Array, ahead: readonly number[]): Float64Array {
    const result = new Float64Array(logits);
    const newTokens = this.choices.length + ahead.length;
    const history =
      ahead.length === 0
        ? { ids: this.#ids, seen: this.#seen, counts: this.#counts, newTokens }
        : historyOf([...this.#ids, ...ahead], newTokens);
    applyRules(result, this.#config, history);
    this.#askPlugins(result, history.ids);
    return result;
  }

  #askPlugins(logits: Float64Array, ids: readonly number[]): void {
    const { process, onFailure } = this.#plugins;
    if (!process || this.#failed) return;
    try {
      process(logits, ids, this.#index);
    } catch (error) {
      this.#failed = true;
      onFailure?.(error);
    }
  }
}
