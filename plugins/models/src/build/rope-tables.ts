// cos and sin tables of rotary embedding for each kind of scaling, by the formulas of transformers'
// modeling_rope_utils.py (5.18).
import type { RopeConfig } from '@lmflow/sdk/model';

/** Angle per position of each pair of dimensions, and a factor of cos and sin. */
export interface Frequencies {
  readonly inverse: Float32Array;
  readonly attention: number;
}

export interface RopeTables {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly length: number;
}

/** Lengths in tokens: of this computation, and that the checkpoint was made for. */
interface Lengths {
  readonly length: number;
  readonly maxPositions: number;
}

type Kind = (rope: RopeConfig, lengths: Lengths) => Frequencies;

// transformers computes in float32: far positions multiply a rounding difference, so it is repeated
// here.
const f = Math.fround;

/** theta ** (-2 i / dimensions): Su et al. 2021, RoFormer. */
function plain(theta: number, dimensions: number): Float32Array {
  return Float32Array.from(
    { length: dimensions / 2 },
    (_, pair) => 1 / f(f(theta) ** f((2 * pair) / dimensions)),
  );
}

const number = (rope: RopeConfig, key: string): number => rope.scaling[key] as number;

const KINDS: Readonly<Record<string, Kind>> = {
  default: ({ theta, dimensions }) => ({ inverse: plain(theta, dimensions), attention: 1 }),

  /** Position interpolation: Chen et al. 2023. */
  linear: (rope) => ({
    inverse: plain(rope.theta, rope.dimensions).map(
      (frequency) => frequency / number(rope, 'factor'),
    ),
    attention: 1,
  }),

  /**
   * NTK-aware scaling whose base grows with the sequence, beyond the length the checkpoint was made
   * for.
   */
  dynamic: (rope, { length, maxPositions }) => {
    const { theta, dimensions } = rope;
    const factor = number(rope, 'factor');
    const reached = Math.max(length, maxPositions);
    const base =
      theta * ((factor * reached) / maxPositions - (factor - 1)) ** (dimensions / (dimensions - 2));
    return { inverse: plain(base, dimensions), attention: 1 };
  },

  /**
   * YaRN: Peng et al. 2023. Fast pairs keep their frequency, slow ones are interpolated, a ramp
   * between them.
   */
  yarn: (rope) => {
    const { theta, dimensions } = rope;
    const [factor, original] = [
      number(rope, 'factor'),
      number(rope, 'original_max_position_embeddings'),
    ];
    const pairAt = (rotations: number): number =>
      (dimensions * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
    let [low, high] = [pairAt(number(rope, 'beta_fast')), pairAt(number(rope, 'beta_slow'))];
    if (rope.scaling['truncate'] !== false) [low, high] = [Math.floor(low), Math.ceil(high)];
    low = Math.max(low, 0);
    high = Math.min(high, dimensions - 1);
    const width = (low === high ? high + 0.001 : high) - low;
    const inverse = plain(theta, dimensions).map((frequency, pair) => {
      const kept = 1 - Math.min(1, Math.max(0, (pair - low) / width));
      return (frequency / factor) * (1 - kept) + frequency * kept;
    });
    return { inverse, attention: yarnAttention(rope, factor) };
  },

  /** LongRoPE: Ding et al. 2024. One list of factors up to the original length, another beyond. */
  longrope: (rope, { length }) => {
    const [factor, original] = [
      number(rope, 'factor'),
      number(rope, 'original_max_position_embeddings'),
    ];
    const factors = rope.scaling[
      length > original ? 'long_factor' : 'short_factor'
    ] as readonly number[];
    const inverse = plain(rope.theta, rope.dimensions).map(
      (frequency, pair) => frequency / factors[pair]!,
    );
    const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
    return {
      inverse,
      attention: (rope.scaling['attention_factor'] as number | undefined) ?? inferred,
    };
  },

  /**
   * Llama 3.1: slow pairs are divided by the factor, a smooth passage to the fast ones, which stay.
   */
  llama3: (rope) => {
    const [factor, low, high] = [
      number(rope, 'factor'),
      number(rope, 'low_freq_factor'),
      number(rope, 'high_freq_factor'),
    ];
    const original = number(rope, 'original_max_position_embeddings');
    const inverse = plain(rope.theta, rope.dimensions).map((frequency) => {
      const wavelength = (2 * Math.PI) / frequency;
      if (wavelength < original / high) return frequency;
      if (wavelength > original / low) return frequency / factor;
      const smooth = (original / wavelength - low) / (high - low);
      return (1 - smooth) * (frequency / factor) + smooth * frequency;
    });
    return { inverse, attention: 1 };
  },
};

const LENGTH_DEPENDENT: ReadonlySet<string> = new Set(['dynamic', 'longrope']);

function yarnAttention(rope: RopeConfig, factor: number): number {
  const {
    attention_factor: configured,
    mscale,
    mscale_all_dim: all,
  } = rope.scaling as { attention_factor?: number; mscale?: number; mscale_all_dim?: number };
  const scale = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  if (configured !== undefined) return configured;
  return mscale && all ? scale(mscale) / scale(all) : scale(1);
}

/** Frequencies of a rotary embedding; `lengths` matter to `dynamic`. */
export function ropeFrequencies(rope: RopeConfig, lengths: Lengths): Frequencies {
  return KINDS[rope.scaling.type]!(rope, lengths);
}

/**
 * Tables [length, dimensions / 2] for positions 0 .. length - 1. `growing`: each position as the
 * last of a sequence, which is how tokens are decoded one by one (kinds that depend on the length
 * turn each by its own).
 */
export function ropeTables(rope: RopeConfig, lengths: Lengths, growing = false): RopeTables {
  const own = growing && LENGTH_DEPENDENT.has(rope.scaling.type);
  let { inverse, attention } = ropeFrequencies(rope, lengths);
  const pairs = inverse.length;
  const [cos, sin] = [
    new Float32Array(lengths.length * pairs),
    new Float32Array(lengths.length * pairs),
  ];
  for (let position = 0; position < lengths.length; position++) {
    if (own) ({ inverse, attention } = ropeFrequencies(rope, { ...lengths, length: position + 1 }));
    for (let pair = 0; pair < pairs; pair++) {
      const angle = f(position * inverse[pair]!);
      cos[position * pairs + pair] = f(Math.cos(angle)) * attention;
      sin[position * pairs + pair] = f(Math.sin(angle)) * attention;
    }
  }
  return { cos, sin, length: lengths.length };
}
