// The `int8Compute` section of the configuration.
import { isModulePattern } from '@lmflow/sdk/model';
import { z } from 'zod';

export const int8Options = z.object({
  exclude: z
    .array(z.string().refine(isModulePattern, 'is not a regular expression'))
    .default([])
    .describe(
      'Linears to compute in float32: names or regular expressions for the path or its end after a dot.',
    ),
  selfCheck: z
    .boolean()
    .default(true)
    .describe('Run the first step in float32 too and report the cosine of all gradients.'),
  minCosine: z
    .number()
    .min(-1)
    .max(1)
    .default(0.995)
    .describe('The self-check warns below this cosine.'),
  cacheDir: z
    .string()
    .optional()
    .describe(
      'Where int8 weights are kept; in the cache (LMFLOW_CACHE), folder int8-compute, by default.',
    ),
});

export type Int8Options = z.output<typeof int8Options>;

export const aliases = { llmInt8SkipModules: 'exclude', skipModules: 'exclude' };

export const unsupported = {
  llmInt8Threshold: {
    reason:
      'outliers are not split off: each row has its scale, and exclude leaves out layers with wide activations',
    accepts: [0],
  },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    int8Compute?: z.input<typeof int8Options> | true;
  }
}
