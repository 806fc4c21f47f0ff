// Rotary embedding as config.json has it, in the style of transformers 5 (rope_parameters) or
// before (rope_theta, rope_scaling).
import { didYouMean } from '@lmflow/sdk';
import type { RopeConfig } from '@lmflow/sdk/model';
import { settingUnsupported } from '../errors.ts';
import type { ConfigReader } from './config.ts';

type Parameters = Record<string, unknown>;

/** Which parameters a kind of scaling has, checked and filled up with transformers' defaults. */
const KINDS: Readonly<
  Record<string, (scaling: ConfigReader, config: ConfigReader, headDim: number) => Parameters>
> = {
  default: () => ({}),
  linear: (scaling) => ({ factor: scaling.positive('factor') }),
  dynamic: (scaling) => ({ factor: scaling.positive('factor') }),
  yarn: (scaling, config) => {
    const original = originalLength(scaling, config);
    return {
      // As in transformers: a factor of null (not an absent one) is the ratio of the lengths.
      factor:
        scaling.values['factor'] === null
          ? config.count('max_position_embeddings') / original
          : scaling.positive('factor'),
      original_max_position_embeddings: original,
      beta_fast: scaling.positive('beta_fast', 32),
      beta_slow: scaling.positive('beta_slow', 1),
      truncate: scaling.flag('truncate', true),
      ...optional(scaling, ['attention_factor', 'mscale', 'mscale_all_dim']),
    };
  },
  llama3: (scaling, config) => ({
    factor: scaling.positive('factor'),
    low_freq_factor: scaling.positive('low_freq_factor'),
    high_freq_factor: scaling.positive('high_freq_factor'),
    original_max_position_embeddings: originalLength(scaling, config),
  }),
  longrope: (scaling, config, headDim) => {
    const original = originalLength(scaling, config);
    return {
      // Without a factor the ratio of the lengths is meant (Phi-3's way of writing it).
      factor: scaling.positive('factor', config.count('max_position_embeddings') / original),
      original_max_position_embeddings: original,
      short_factor: scaling.numbers('short_factor', headDim / 2),
      long_factor: scaling.numbers('long_factor', headDim / 2),
      ...optional(scaling, ['attention_factor']),
    };
  },
};

/**
 * The rotary embedding of a config.json; `theta` is the family's base where the file has none.
 * Throws LMFLOW_MODEL_UNSUPPORTED for a kind of scaling that is unknown, LMFLOW_MODEL_CONFIG for
 * parameters that are missing or wrong.
 */
export function readRope(config: ConfigReader, headDim: number, theta: number): RopeConfig {
  const scaling = config.section('rope_scaling') ?? config.section('rope_parameters');
  if (headDim % 2 !== 0) throw config.invalid('head_dim', 'even, for rotary embedding');
  config.refuse('partial_rotary_factor', [1], 'this family rotates whole heads');
  const base =
    scaling?.get('rope_theta') === undefined
      ? config.positive('rope_theta', theta)
      : scaling.positive('rope_theta');
  if (!scaling) return { theta: base, dimensions: headDim, scaling: { type: 'default' } };
  scaling.refuse('partial_rotary_factor', [1], 'this family rotates whole heads');
  for (const nested of ['full_attention', 'sliding_attention']) {
    scaling.refuse(nested, [], 'rotary embedding that differs between layers is not supported');
  }
  const type = scaling.text('rope_type', scaling.text('type', 'default'));
  const parameters = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (!parameters) {
    const kinds = Object.keys(KINDS);
    const nearest = didYouMean(type, kinds);
    const question = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
    throw settingUnsupported(
      scaling.file,
      'rope_type',
      type,
      `known kinds of rotary embedding are ${kinds.join(', ')}${question}`,
    );
  }
  return {
    theta: base,
    dimensions: headDim,
    scaling: { type, ...parameters(scaling, config, headDim) },
  };
}

// A value beside rope_scaling wins over one inside it, as in transformers.
function originalLength(scaling: ConfigReader, config: ConfigReader): number {
  const fallback =
    scaling.get('original_max_position_embeddings') === undefined
      ? config.count('max_position_embeddings')
      : scaling.count('original_max_position_embeddings');
  return config.count('original_max_position_embeddings', fallback);
}

function optional(scaling: ConfigReader, keys: readonly string[]): Parameters {
  return Object.fromEntries(
    keys
      .filter((key) => scaling.get(key) !== undefined && scaling.get(key) !== 0)
      .map((key) => [key, scaling.positive(key)]),
  );
}
