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

export interface SettledOptions {
  readonly settings: Settings;
  /** Keys of generation_config.json that change the text and are not supported. */
  readonly ignored: readonly string[];
}

/**
 * Decides every option; throws LMFLOW_GENERATE_OPTION_INVALID. A fresh seed is drawn where none is
 * given.
 */
export function settle(
  model: Model,
  promptTokens: number,
  request: GenerationOptions,
  section: GenerationOptions,
): SettledOptions {
  const saved = savedOptions(model.generationConfig ?? {}, promptTokens);
  const merged = { ...DEFAULTS, ...saved, ...given(section), ...given(request) };
  const eosTokenId = request.eosTokenId ?? section.eosTokenId ?? model.eosIds ?? [];
  const settings: Settings = {
    ...merged,
    doSample: samples(request) ?? samples(section) ?? saved.doSample ?? false,
    seed: request.seed ?? section.seed ?? Math.floor(Math.random() * 2 ** 32),
    logitBias: new Map(
      Object.entries(merged.logitBias ?? {}).map(([id, bias]) => [Number(id), bias]),
    ),
    eosTokenId,
    logprobs: merged.logprobs,
  };
  check(settings, model.architecture.vocabularySize);
  return {
    settings: settings.temperature === 0 ? { ...settings, doSample: false } : settings,
    ignored: ignoredKeys(model.generationConfig ?? {}),
  };
}

function given(options: GenerationOptions): Partial<GenerationOptions> {
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

function check(settings: Settings, vocabulary: number): void {
  const rules: readonly [keyof Settings, boolean, string][] = [
    [
      'maxNewTokens',
      settings.maxNewTokens >= 1 &&
        (settings.maxNewTokens === Infinity || Number.isInteger(settings.maxNewTokens)),
      'is a whole number from 1 on',
    ],
    [
      'minNewTokens',
      Number.isInteger(settings.minNewTokens) && settings.minNewTokens >= 0,
      'is a whole number from 0 on',
    ],
    [
      'temperature',
      settings.temperature >= 0 && Number.isFinite(settings.temperature),
      'is a number from 0 on',
    ],
    [
      'topK',
      Number.isInteger(settings.topK) && settings.topK >= 0,
      'is a whole number; 0 for all tokens',
    ],
    ['topP', settings.topP > 0 && settings.topP <= 1, 'is above 0 and at most 1'],
    ['minP', settings.minP >= 0 && settings.minP <= 1, 'is between 0 and 1'],
    [
      'repetitionPenalty',
      settings.repetitionPenalty > 0 && Number.isFinite(settings.repetitionPenalty),
      'is above 0',
    ],
    ['presencePenalty', Number.isFinite(settings.presencePenalty), 'is a number'],
    ['frequencyPenalty', Number.isFinite(settings.frequencyPenalty), 'is a number'],
    [
      'noRepeatNgramSize',
      Number.isInteger(settings.noRepeatNgramSize) && settings.noRepeatNgramSize >= 0,
      'is a whole number; 0 for none',
    ],
    [
      'numBeams',
      Number.isInteger(settings.numBeams) && settings.numBeams >= 1,
      'is a whole number from 1 on',
    ],
    [
      'numReturnSequences',
      Number.isInteger(settings.numReturnSequences) && settings.numReturnSequences >= 1,
      'is a whole number from 1 on',
    ],
    [
      'numReturnSequences',
      settings.numBeams === 1 || settings.numReturnSequences <= settings.numBeams,
      'is at most numBeams',
    ],
    [
      'numBeams',
      settings.numBeams === 1 || !settings.doSample,
      'is for decoding without sampling: set doSample to false',
    ],
    [
      'logprobs',
      settings.logprobs === undefined ||
        (Number.isInteger(settings.logprobs) && settings.logprobs >= 0),
      'is a whole number from 0 on',
    ],
    ['stop', settings.stop.every((text) => text.length > 0), 'has an empty text'],
  ];
  for (const [key, holds, wanted] of rules) {
    if (!holds) throw optionInvalid(key, settings[key], wanted);
  }
  for (const [id, bias] of settings.logitBias) {
    if (!(Number.isInteger(id) && id >= 0 && id < vocabulary)) {
      throw optionInvalid('logitBias', id, `is no token id of a vocabulary of ${vocabulary}`);
    }
    if (Number.isNaN(bias)) throw optionInvalid('logitBias', bias, 'is not a number');
  }
}
