// The config of one generation: every option with its value from the request, else from the section
// `generate`, else from the checkpoint's generation_config, else the default.
import type { GenerationOptions } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { optionConflict, optionInvalid } from './errors.ts';
import { checkpointOptions, ignoredKeys } from './generation-config.ts';

/** Every option of a generation with its value. */
export interface DecodingConfig {
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
  readonly drawnLogprobs: boolean;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly skipSpecialTokens: boolean;
  readonly truncation: 'error' | 'left';
}

/** transformers' defaults, except that only the context limits the length. */
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
  drawnLogprobs: false,
  lengthPenalty: 1,
  earlyStopping: false as boolean | 'never',
  skipSpecialTokens: true,
  truncation: 'error' as 'error' | 'left',
};

/** The config of one generation. */
export interface DecidedConfig {
  readonly config: DecodingConfig;
  /** Keys of generation_config.json that would change the text and are not supported. */
  readonly ignored: readonly string[];
}

/**
 * Merges the options of a request with those below it; throws LMFLOW_GENERATE_OPTION_INVALID.
 * Without a seed it draws one.
 */
export function decideConfig(
  model: Model,
  promptTokens: number,
  request: GenerationOptions,
  section: GenerationOptions,
): DecidedConfig {
  const merged = {
    ...DEFAULTS,
    ...configuredOptions(model, promptTokens, section),
    ...whatIsSet(request),
  };
  const config: DecodingConfig = {
    ...merged,
    doSample: samples(request) ?? merged.doSample ?? false,
    seed: merged.seed ?? Math.floor(Math.random() * 2 ** 32),
    logitBias: new Map(
      Object.entries(merged.logitBias ?? {}).map(([id, bias]) => [Number(id), bias]),
    ),
    eosTokenId: merged.eosTokenId ?? model.eosIds ?? [],
    logprobs: merged.logprobs,
  };
  check(config, model.architecture.vocabularySize);
  return {
    config: config.temperature === 0 ? { ...config, doSample: false } : config,
    ignored: ignoredKeys(model.generationConfig ?? {}),
  };
}

/** The options that the section `generate` sets, and below them those of the checkpoint. */
export function configuredOptions(
  model: Model,
  promptTokens: number,
  section: GenerationOptions,
): GenerationOptions {
  const saved = checkpointOptions(model.generationConfig ?? {}, promptTokens);
  const doSample = samples(section) ?? saved.doSample;
  return { ...saved, ...whatIsSet(section), ...(doSample === undefined ? {} : { doSample }) };
}

function whatIsSet(options: GenerationOptions): Partial<GenerationOptions> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

// A temperature means sampling, also where the checkpoint's default is greedy.
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

type Rule = readonly [
  key: keyof DecodingConfig,
  holds: (config: DecodingConfig) => boolean,
  expected: string,
];

const isWhole = (value: number, least: number): boolean =>
  Number.isInteger(value) && value >= least;

const RULES: readonly Rule[] = [
  [
    'maxNewTokens',
    ({ maxNewTokens }) => maxNewTokens === Infinity || isWhole(maxNewTokens, 1),
    'a whole number from 1 on',
  ],
  ['minNewTokens', ({ minNewTokens }) => isWhole(minNewTokens, 0), 'a whole number from 0 on'],
  [
    'temperature',
    ({ temperature }) => temperature >= 0 && Number.isFinite(temperature),
    'a finite number from 0 on',
  ],
  ['topK', ({ topK }) => isWhole(topK, 0), 'a whole number from 0 on (0 for all tokens)'],
  ['topP', ({ topP }) => topP > 0 && topP <= 1, 'above 0 and at most 1'],
  ['minP', ({ minP }) => minP >= 0 && minP <= 1, 'from 0 to 1'],
  [
    'repetitionPenalty',
    ({ repetitionPenalty }) => repetitionPenalty > 0 && Number.isFinite(repetitionPenalty),
    'a finite number above 0',
  ],
  ['presencePenalty', ({ presencePenalty }) => Number.isFinite(presencePenalty), 'a finite number'],
  [
    'frequencyPenalty',
    ({ frequencyPenalty }) => Number.isFinite(frequencyPenalty),
    'a finite number',
  ],
  [
    'noRepeatNgramSize',
    ({ noRepeatNgramSize }) => isWhole(noRepeatNgramSize, 0),
    'a whole number from 0 on (0 for no limit)',
  ],
  ['numBeams', ({ numBeams }) => isWhole(numBeams, 1), 'a whole number from 1 on'],
  [
    'numReturnSequences',
    ({ numReturnSequences }) => isWhole(numReturnSequences, 1),
    'a whole number from 1 on',
  ],
  [
    'numReturnSequences',
    ({ numBeams, numReturnSequences }) => numBeams === 1 || numReturnSequences <= numBeams,
    'numBeams at most with beam search',
  ],
  [
    'logprobs',
    ({ logprobs }) => logprobs === undefined || isWhole(logprobs, 0),
    'a whole number from 0 on',
  ],
  [
    'stop',
    ({ stop }) => stop.every((text) => text.length > 0),
    'a list of texts that are not empty',
  ],
];

function check(config: DecodingConfig, vocabulary: number): void {
  for (const [key, holds, expected] of RULES) {
    if (!holds(config)) throw optionInvalid(key, config[key], expected);
  }
  if (config.numBeams > 1 && config.doSample) {
    throw optionConflict(
      `numBeams is ${config.numBeams} and doSample is true, but beam search does not sample`,
      'Set doSample to false, or leave numBeams out.',
    );
  }
  for (const [id, bias] of config.logitBias) {
    if (!(Number.isInteger(id) && id >= 0 && id < vocabulary)) {
      throw optionInvalid('every key of logitBias', id, `a token id below ${vocabulary}`);
    }
    if (Number.isNaN(bias)) throw optionInvalid(`logitBias of token ${id}`, bias, 'a number');
  }
}
