// Rotary embedding as config.json has it, in the style of transformers 5 (rope_parameters) or
// before (rope_theta, rope_scaling).
import { didYouMean } from '@lmflow/sdk';
import type { RopeConfig } from '@lmflow/sdk/model';
import { settingUnsupported } from '../errors.ts';
import type { ConfigReader } from './config.ts';

type Parameters = Record<string, unknown>;

/** Which parameters a kind of scaling has, checked and filled up with transformers' defaults. */
const KINDS: Readonly<
  Record<string, (given: ConfigReader, config: ConfigReader, headDim: number) => Parameters>
> = {
  default: () => ({}),
  linear: (given) => ({ factor: given.positive('factor') }),
  dynamic: (given) => ({ factor: given.positive('factor') }),
  yarn: (given, config) => {
    const original = originalLength(given, config);
    return {
      // As in transformers: a factor of null (not an absent one) is the ratio of the lengths.
      factor:
        given.values['factor'] === null
          ? config.count('max_position_embeddings') / original
          : given.positive('factor'),
      original_max_position_embeddings: original,
      beta_fast: given.positive('beta_fast', 32),
      beta_slow: given.positive('beta_slow', 1),
      truncate: given.flag('truncate', true),
      ...optional(given, ['attention_factor', 'mscale', 'mscale_all_dim']),
    };
  },
  llama3: (given, config) => ({
    factor: given.positive('factor'),
    low_freq_factor: given.positive('low_freq_factor'),
    high_freq_factor: given.positive('high_freq_factor'),
    original_max_position_embeddings: originalLength(given, config),
  }),
  longrope: (given, config, headDim) => {
    const original = originalLength(given, config);
    return {
      // Without a factor the ratio of the lengths is meant (Phi-3's way of writing it).
      factor: given.positive('factor', config.count('max_position_embeddings') / original),
      original_max_position_embeddings: original,
      short_factor: given.numbers('short_factor', headDim / 2),
      long_factor: given.numbers('long_factor', headDim / 2),
      ...optional(given, ['attention_factor']),
    };
  },
};

/**
 * The rotary embedding of a config.json; `theta` is the family's base where the file has none.
 * Throws LMFLOW_MODEL_UNSUPPORTED for a kind of scaling that is unknown, LMFLOW_MODEL_CONFIG for
 * parameters that are missing or wrong.
 */
export function readRope(config: ConfigReader, headDim: number, theta: number): RopeConfig {
  const given = config.section('rope_scaling') ?? config.section('rope_parameters');
  if (headDim % 2 !== 0) throw config.invalid('head_dim', 'even, for rotary embedding');
  config.refuse('partial_rotary_factor', [1], 'this family rotates whole heads');
  const base =
    given?.get('rope_theta') === undefined
      ? config.positive('rope_theta', theta)
      : given.positive('rope_theta');
  if (!given) return { theta: base, dimensions: headDim, scaling: { type: 'default' } };
  given.refuse('partial_rotary_factor', [1], 'this family rotates whole heads');
  for (const nested of ['full_attention', 'sliding_attention']) {
    given.refuse(nested, [], 'rotary embedding that differs between layers is not supported');
  }
  const type = given.text('rope_type', given.text('type', 'default'));
  const parameters = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (!parameters) {
    const nearest = didYouMean(type, Object.keys(KINDS));
    throw settingUnsupported(
      given.file,
      'rope_type',
      type,
      `known kinds of rotary embedding are ${Object.keys(KINDS).join(', ')}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
    );
  }
  return {
    theta: base,
    dimensions: headDim,
    scaling: { type, ...parameters(given, config, headDim) },
  };
}

// A value beside rope_scaling wins over one inside it, as in transformers.
function originalLength(given: ConfigReader, config: ConfigReader): number {
  const fallback =
    given.get('original_max_position_embeddings') === undefined
      ? config.count('max_position_embeddings')
      : given.count('original_max_position_embeddings');
  return config.count('original_max_position_embeddings', fallback);
}

function optional(given: ConfigReader, keys: readonly string[]): Parameters {
  return Object.fromEntries(
    keys
      .filter((key) => given.get(key) !== undefined && given.get(key) !== 0)
      .map((key) => [key, given.positive(key)]),
  );
}
