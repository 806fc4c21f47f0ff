// The section `positionInterpolation`: what kind of stretching, by how much, and the parameters of
// that kind.
import { z } from 'zod';

/** The kinds of stretching. */
export const KINDS = ['linear', 'ntk', 'dynamic', 'yarn', 'llama3'] as const;
export type Kind = (typeof KINDS)[number];

export const positionInterpolationOptions = z.object({
  enabled: z.boolean().default(true).describe('false: positions as the checkpoint has them.'),
  type: z
    .enum(KINDS)
    .default('linear')
    .describe(
      'linear: positions divided by the factor. ntk: a larger base. dynamic: a base that grows with the length. ' +
        'yarn: Peng et al. 2023. llama3: as in Llama 3.1.',
    ),
  factor: z
    .number()
    .gt(1)
    .default(4)
    .describe('How many times longer than the original length sequences can be.'),
  originalMaxPositions: z
    .int()
    .positive()
    .optional()
    .describe('Length the checkpoint was trained for (default: that of its config.json).'),
  betaFast: z
    .number()
    .positive()
    .optional()
    .describe(
      'yarn: pairs that turn more often than this within the original length are left alone (32).',
    ),
  betaSlow: z
    .number()
    .positive()
    .optional()
    .describe('yarn: pairs that turn less often than this are interpolated fully (1).'),
  attentionFactor: z
    .number()
    .positive()
    .optional()
    .describe('yarn: factor of the rotated queries and keys (0.1 ln(factor) + 1).'),
  lowFreqFactor: z
    .number()
    .positive()
    .optional()
    .describe(
      'llama3: pairs that turn less often than this within the original length are interpolated fully (1).',
    ),
  highFreqFactor: z
    .number()
    .positive()
    .optional()
    .describe('llama3: pairs that turn more often than this are left alone (4).'),
});

/** Options after parsing. */
export type PositionInterpolationOptions = z.output<typeof positionInterpolationOptions>;

/** Options that only one kind of stretching has. */
export const OWN: Readonly<Partial<Record<keyof PositionInterpolationOptions, Kind>>> = {
  betaFast: 'yarn',
  betaSlow: 'yarn',
  attentionFactor: 'yarn',
  lowFreqFactor: 'llama3',
  highFreqFactor: 'llama3',
};

export const aliases = {
  ropeType: 'type',
  scalingFactor: 'factor',
  originalMaxPositionEmbeddings: 'originalMaxPositions',
} as const;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    positionInterpolation?: z.input<typeof positionInterpolationOptions> | boolean;
  }
}
