// What stretching changes: the rotary embedding, the longest sequence, and what config.json says of
// both.
import type { Architecture, RopeConfig } from '@lmflow/sdk/model';
import { alreadyStretched, notAscending, notRotary, optionOfAnother } from './errors.ts';
import { OWN, type PositionInterpolationOptions } from './options.ts';

export interface Stretched {
  readonly rope: RopeConfig;
  /** Longest sequence from now on. */
  readonly maxPositions: number;
  /** Length the checkpoint was trained for. */
  readonly original: number;
  /** `max_position_embeddings` to be saved: `dynamic` measures from the original length. */
  readonly savedPositions: number;
}

/** Base of NTK-aware scaling: the slowest pair is interpolated fully, the fastest not at all. */
export function ntkBase(theta: number, dimensions: number, factor: number): number {
  return theta * factor ** (dimensions / (dimensions - 2));
}

type Stretch = (
  rope: RopeConfig,
  options: PositionInterpolationOptions,
  original: number,
) => Pick<RopeConfig, 'theta' | 'scaling'>;

const STRETCHES: Readonly<Record<PositionInterpolationOptions['type'], Stretch>> = {
  linear: ({ theta }, { factor }) => ({ theta, scaling: { type: 'linear', factor } }),
  ntk: ({ theta, dimensions }, { factor }) => ({
    theta: ntkBase(theta, dimensions, factor),
    scaling: { type: 'default' },
  }),
  dynamic: ({ theta }, { factor }) => ({ theta, scaling: { type: 'dynamic', factor } }),
  yarn: ({ theta }, { factor, betaFast = 32, betaSlow = 1, attentionFactor }, original) => {
    if (betaSlow >= betaFast) throw notAscending('betaSlow', 'betaFast');
    return {
      theta,
      scaling: {
        type: 'yarn',
        factor,
        original_max_position_embeddings: original,
        beta_fast: betaFast,
        beta_slow: betaSlow,
        truncate: true,
        ...(attentionFactor === undefined ? {} : { attention_factor: attentionFactor }),
      },
    };
  },
  llama3: ({ theta }, { factor, lowFreqFactor = 1, highFreqFactor = 4 }, original) => {
    if (lowFreqFactor >= highFreqFactor) throw notAscending('lowFreqFactor', 'highFreqFactor');
    return {
      theta,
      scaling: {
        type: 'llama3',
        factor,
        low_freq_factor: lowFreqFactor,
        high_freq_factor: highFreqFactor,
        original_max_position_embeddings: original,
      },
    };
  },
};

/**
 * The stretched rotary embedding of an architecture, or undefined where the checkpoint is stretched
 * in this very way already (it was saved by this plugin). Throws LMFLOW_POSITIONS_NOT_ROTARY,
 * LMFLOW_POSITIONS_STRETCHED, LMFLOW_POSITIONS_OPTION.
 */
export function stretch(
  source: string,
  { rope, maxPositions, family }: Architecture,
  options: PositionInterpolationOptions,
): Stretched | undefined {
  if (!rope) throw notRotary(source, family);
  checkOwn(options);
  const { type, factor } = options;
  const found = rope.scaling.type;
  const known = rope.scaling['original_max_position_embeddings'];
  // A checkpoint that says nothing of its original length was stretched to its length by the
  // factor.
  const inherited = found === 'linear' ? maxPositions / factor : maxPositions;
  const original = options.originalMaxPositions ?? (typeof known === 'number' ? known : inherited);
  const stretched = { ...rope, ...STRETCHES[type](rope, options, original) };
  if (found !== 'default') {
    if (type === 'ntk' || !sameScaling(rope.scaling, stretched.scaling)) {
      throw alreadyStretched(source, JSON.stringify(rope.scaling), `${type} by ${factor}`);
    }
    if (type !== 'dynamic') return undefined;
  }
  const longest = Math.floor(original * factor);
  return {
    rope: stretched,
    maxPositions: longest,
    original,
    savedPositions: type === 'dynamic' ? original : longest,
  };
}

function checkOwn(options: PositionInterpolationOptions): void {
  for (const [option, owner] of Object.entries(OWN)) {
    if (
      options[option as keyof PositionInterpolationOptions] !== undefined &&
      owner !== options.type
    ) {
      throw optionOfAnother(option, owner, options.type);
    }
  }
}

function sameScaling(a: RopeConfig['scaling'], b: RopeConfig['scaling']): boolean {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => a[key] === b[key]);
}

/**
 * config.json with the stretched positions, in the style it has: `rope_parameters` (transformers 5)
 * or `rope_theta` and `rope_scaling`.
 */
export function stretchedConfig(
  config: Readonly<Record<string, unknown>>,
  { rope: { theta, scaling }, savedPositions }: Stretched,
): Record<string, unknown> {
  const { rope_scaling: _, rope_parameters: before, ...rest } = config;
  const { type, ...parameters } = scaling;
  const written = { rope_type: type, ...parameters };
  const positions = { ...rest, max_position_embeddings: savedPositions };
  if (before !== null && typeof before === 'object') {
    return { ...positions, rope_parameters: { ...written, rope_theta: theta } };
  }
  return {
    ...positions,
    rope_theta: theta,
    ...(type === 'default' ? {} : { rope_scaling: written }),
  };
}
