// The `vera` section of the configuration: PEFT's VeraConfig names in camelCase.
import { z } from 'zod';

export const veraOptions = z.object({
  r: z.number().int().positive().default(256).describe('Rank of the shared random matrices.'),
  targetModules: z
    .union([z.string(), z.array(z.string()).nonempty()])
    .optional()
    .describe(
      'Linears to adapt: names, a regular expression for the path, or "all-linear"; default: as PEFT, by family.',
    ),
  layersToTransform: z
    .array(z.number().int().nonnegative())
    .nonempty()
    .optional()
    .describe('Only these blocks (0 is the first).'),
  veraDropout: z
    .number()
    .min(0)
    .max(0.999)
    .default(0)
    .describe('Dropout on the input of the matrices, in training only.'),
  dInitial: z.number().default(0.1).describe('What the vector between the matrices begins with.'),
  projectionPrngKey: z
    .number()
    .int()
    .nonnegative()
    .default(0)
    .describe("Seed of the random matrices, which are PEFT's for the same key."),
  adapter: z
    .string()
    .optional()
    .describe('Folder of a PEFT adapter (VeRA) to use or to continue from; its settings are used.'),
});

export type VeraOptions = z.output<typeof veraOptions>;

export const aliases = {
  rank: 'r',
  dropout: 'veraDropout',
  targets: 'targetModules',
  target: 'targetModules',
  layers: 'layersToTransform',
};

export const unsupported = {
  saveProjection: { reason: 'the random matrices are always saved', accepts: [true] },
  bias: { reason: 'biases are not trained', accepts: ['none'] },
  modulesToSave: { reason: 'it is not part of this plugin', accepts: [null] },
  initWeights: 'training begins with the model as it is',
  layersPattern: {
    reason: 'use layersToTransform or a regular expression in targetModules',
    accepts: [null],
  },
  fanInFanOut: 'it follows from the architecture',
  taskType: { reason: 'it is always CAUSAL_LM', accepts: ['CAUSAL_LM'] },
  inferenceMode: 'it follows from the command',
  peftType: { reason: 'it is always VERA', accepts: ['VERA'] },
  baseModelNameOrPath: { reason: 'it is the key model', accepts: [null] },
  revision: { reason: 'it is the key revision of the configuration itself', accepts: [null] },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    vera?: z.input<typeof veraOptions> | true;
  }
}
