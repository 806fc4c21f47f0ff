// What decides one generation: the request's options, then the section `generate`, then the
// checkpoint's generation_config, then the default.
import type { GenerationOptions } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { optionInvalid } from './errors.ts';
import { ignoredKeys, savedOptions } from './saved.ts';

/** Every option decided. */
export interface Settings {
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
  readonly doSample: boolean;
  readonly temperature: number;
  /** 0: all tokens. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  /** 0: none. */
  readonly noRepeatNgramSize: number;
  readonly numBeams: number;
  readonly numReturnSequences: number;
  readonly seed: number;
  readonly logitBias: ReadonlyMap<number, number>;
  readonly stop: readonly string[];
  readonly eosTokenId: readonly number[];
  readonly logprobs: number | undefined;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly skipSpecialTokens: boolean;
  readonly truncation: 'error' | 'left';
}

/** transformers' defaults, except that the length is limited by the context alone unless told. */
const DEFAULTS = {
  maxNewTokens: Infinity,
  minNewTokens: 0,
  temperature: 1,
  topK: 50,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  noRepeatNgramSize: 0,
  numBeams: 1,
  numReturnSequences: 1,
  stop: [] as readonly string[],
  lengthPenalty: 1,
  earlyStopping: false as boolean | 'never',
  skipSpecialTokens: true,
  truncation: 'error' as 'error' | 'left',
};

/** Settings of one generation. */
export interface DecidedSettings {
  readonly settings: Settings;
  /** Keys of generation_config.json that change the text and are not supported. */
  readonly ignored: readonly string[];
}

/**
 * Decides every option; throws LMFLOW_GENERATE_OPTION_INVALID. A fresh seed is drawn where none is
 * given.
 */
export function decideSettings(
  model: Model,
  promptTokens: number,
  request: GenerationOptions,
  section: GenerationOptions,
): DecidedSettings {
  const merged = {
    ...DEFAULTS,
    ...configuredOptions(model, promptTokens, section),
    ...whatIsSet(request),
  };
  const settings: Settings = {
    ...merged,
    doSample: samples(request) ?? merged.doSample ?? false,
    seed: merged.seed ?? Math.floor(Math.random() * 2 ** 32),
    logitBias: new Map(
      Object.entries(merged.logitBias ?? {}).map(([id, bias]) => [Number(id), bias]),
    ),
    eosTokenId: merged.eosTokenId ?? model.eosIds ?? [],
    logprobs: merged.logprobs,
  };
  check(settings, model.architecture.vocabularySize);
  return {
    settings: settings.temperature === 0 ? { ...settings, doSample: false } : settings,
    ignored: ignoredKeys(model.generationConfig ?? {}),
  };
}

/** What the section `generate` and the checkpoint set, the section first. */
export function configuredOptions(
  model: Model,
  promptTokens: number,
  section: GenerationOptions,
): GenerationOptions {
  const saved = savedOptions(model.generationConfig ?? {}, promptTokens);
  const doSample = samples(section) ?? saved.doSample;
  return { ...saved, ...whatIsSet(section), ...(doSample === undefined ? {} : { doSample }) };
}

function whatIsSet(options: GenerationOptions): Partial<GenerationOptions> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

// Who sets a temperature wants sampling, also where the checkpoint's default is greedy.
function samples({
  doSample,
  temperature,
  topK,
  topP,
  minP,
}: GenerationOptions): boolean | undefined {
  if (doSample !== undefined) return doSample;
  return [temperature, topK, topP, minP].some((value) => value !== undefined) ? true : undefined;
}

type Rule = readonly [key: keyof Settings, holds: (settings: Settings) => boolean, wanted: string];

const isWhole = (value: number, least: number): boolean =>
  Number.isInteger(value) && value >= least;

const RULES: readonly Rule[] = [
  [
    'maxNewTokens',
    ({ maxNewTokens }) => maxNewTokens === Infinity || isWhole(maxNewTokens, 1),
    'is a whole number from 1 on',
  ],
  ['minNewTokens', ({ minNewTokens }) => isWhole(minNewTokens, 0), 'is a whole number from 0 on'],
  [
    'temperature',
    ({ temperature }) => temperature >= 0 && Number.isFinite(temperature),
    'is a number from 0 on',
  ],
  ['topK', ({ topK }) => isWhole(topK, 0), 'is a whole number; 0 for all tokens'],
  ['topP', ({ topP }) => topP > 0 && topP <= 1, 'is above 0 and at most 1'],
  ['minP', ({ minP }) => minP >= 0 && minP <= 1, 'is between 0 and 1'],
  [
    'repetitionPenalty',
    ({ repetitionPenalty }) => repetitionPenalty > 0 && Number.isFinite(repetitionPenalty),
    'is above 0',
  ],
  ['presencePenalty', ({ presencePenalty }) => Number.isFinite(presencePenalty), 'is a number'],
  ['frequencyPenalty', ({ frequencyPenalty }) => Number.isFinite(frequencyPenalty), 'is a number'],
  [
    'noRepeatNgramSize',
    ({ noRepeatNgramSize }) => isWhole(noRepeatNgramSize, 0),
    'is a whole number; 0 for none',
  ],
  ['numBeams', ({ numBeams }) => isWhole(numBeams, 1), 'is a whole number from 1 on'],
  [
    'numReturnSequences',
    ({ numReturnSequences }) => isWhole(numReturnSequences, 1),
    'is a whole number from 1 on',
  ],
  [
    'numReturnSequences',
    ({ numBeams, numReturnSequences }) => numBeams === 1 || numReturnSequences <= numBeams,
    'is at most numBeams',
  ],
  [
    'numBeams',
    ({ numBeams, doSample }) => numBeams === 1 || !doSample,
    'is for decoding without sampling: set doSample to false',
  ],
  [
    'logprobs',
    ({ logprobs }) => logprobs === undefined || isWhole(logprobs, 0),
    'is a whole number from 0 on',
  ],
  ['stop', ({ stop }) => stop.every((text) => text.length > 0), 'has an empty text'],
];

function check(settings: Settings, vocabulary: number): void {
  for (const [key, holds, wanted] of RULES) {
    if (!holds(settings)) throw optionInvalid(key, settings[key], wanted);
  }
  for (const [id, bias] of settings.logitBias) {
    if (!(Number.isInteger(id) && id >= 0 && id < vocabulary)) {
      throw optionInvalid('logitBias', id, `is no token id of a vocabulary of ${vocabulary}`);
    }
    if (Number.isNaN(bias)) throw optionInvalid('logitBias', bias, 'is not a number');
  }
}
