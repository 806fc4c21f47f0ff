// Chooses the tokens of one sequence: rules and penalties, plugins, then the likeliest or a draw.
// Draw i of a sequence depends on seed, sequence and i alone.
import {
  randomStream,
  type RandomStream,
  type RequestSettings,
  type TokenChooser,
  type TokenScore,
} from '@lmflow/sdk';
import { logSumExp } from '@lmflow/sdk/model';
import type { Settings } from '../settings.ts';
import { argmax, draw, minP, softmax, temperature, topK, topP } from './filters.ts';
import type { LogitsProcessor } from './processor.ts';
import { applyRules, changesNothing, historyOf } from './rules.ts';
import { likeliest } from './scores.ts';

/**
 * A chosen token, with its scores where they were asked for: their sum over the vocabulary takes
 * longer than a choice.
 */
export interface Choice {
  readonly id: number;
  readonly logprob?: number;
  readonly top?: readonly TokenScore[];
}

/** What plugins have to do with a choice. */
export interface PluginsShare {
  readonly settings: RequestSettings;
  readonly process?: LogitsProcessor | undefined;
  /** Takes what `process` throws: it ends this sequence, and not those decoded with it. */
  readonly onFailure?: (error: unknown) => void;
}

export class Chooser implements TokenChooser {
  readonly settings: RequestSettings;
  /** What was chosen, in order. */
  readonly choices: Choice[] = [];
  readonly #settings: Settings;
  readonly #ids: number[];
  readonly #seen: Set<number>;
  readonly #counts = new Map<number, number>();
  readonly #random: RandomStream;
  readonly #ends: ReadonlySet<number>;
  readonly #plain: boolean;
  readonly #index: number;
  readonly #plugins: PluginsShare;
  #ended = false;
  #failed = false;

  /** `index`: which of the sequences of one request. */
  constructor(
    settings: Settings,
    prompt: Int32Array,
    index: number,
    plugins: PluginsShare = { settings: {} },
  ) {
    this.settings = plugins.settings;
    this.#settings = settings;
    this.#index = index;
    this.#plugins = plugins;
    this.#ids = [...prompt];
    this.#seen = new Set(prompt);
    this.#random = randomStream(settings.seed, 'generate', index);
    this.#ends = new Set(settings.eosTokenId);
    this.#plain = changesNothing(settings) && plugins.process === undefined;
  }

  get ended(): boolean {
    return this.#ended || this.#failed || this.choices.length >= this.#settings.maxNewTokens;
  }

  /** Whether the last token was one that ends the text. */
  get atEnd(): boolean {
    return this.#ended;
  }

  choose(logits: Float32Array): number {
    const { doSample, minNewTokens } = this.#settings;
    const place = this.choices.length;
    const token = doSample
      ? draw(this.probabilities(logits), this.#random.uniform(place))
      : argmax(this.#plain && place >= minNewTokens ? logits : this.#processed(logits, []));
    this.take(token, logits);
    return token;
  }

  probabilities(logits: Float32Array, ahead: readonly number[] = []): Float64Array {
    const processed = this.#processed(logits, ahead);
    const settings = this.#settings;
    if (!settings.doSample) {
      return new Float64Array(processed.length).fill(1, argmax(processed), argmax(processed) + 1);
    }
    temperature(processed, settings.temperature);
    topK(processed, settings.topK);
    topP(processed, settings.topP);
    minP(processed, settings.minP);
    return softmax(processed);
  }

  take(token: number, logits: Float32Array): void {
    this.choices.push({ id: token, ...this.#scores(token, logits) });
    this.#ids.push(token);
    this.#seen.add(token);
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
    if (this.#ends.has(token)) this.#ended = true;
  }

  #scores(token: number, logits: Float32Array): Omit<Choice, 'id'> {
    const { logprobs } = this.#settings;
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
    applyRules(result, this.#settings, history);
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
