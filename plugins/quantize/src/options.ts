// The `quantize` section of the configuration.
import { isModulePattern } from '@lmflow/sdk/model';
import { z } from 'zod';

export const bits = z.union([z.literal(4), z.literal(8)]);

export const quantizeOptions = z.object({
  bits: bits
    .optional()
    .describe("Bits of a weight of the blocks' linears, 4 or 8; left out, nothing is quantized."),
  headBits: z
    .union([bits, z.literal('float')])
    .optional()
    .describe(
      "Bits of the head's weight, or float; 8 by default. A tied embedding is looked up in float all the same.",
    ),
  blockSize: z
    .union([16, 32, 64, 128, 256].map((size) => z.literal(size)))
    .optional()
    .describe('Numbers that share a scale; by default 64, and 32 where 64 does not divide a row.'),
  symmetric: z
    .boolean()
    .default(true)
    .describe('Codes around zero; false gives each block a zero point.'),
  activations: z
    .enum(['int8', 'float'])
    .default('int8')
    .describe('Round activations to int8, which is fast, or keep them in float32.'),
  exclude: z
    .array(z.string().refine(isModulePattern, 'is not a regular expression'))
    .default([])
    .describe(
      'Linears to leave in float32: names or regular expressions for the path or its end after a dot.',
    ),
  cacheDir: z
    .string()
    .optional()
    .describe(
      'Where quantized weights are kept; in the cache (LMFLOW_CACHE), folder quantize, by default.',
    ),
});

export type QuantizeOptions = z.output<typeof quantizeOptions>;

export const aliases = {
  groupSize: 'blockSize',
  sym: 'symmetric',
  llmInt8SkipModules: 'exclude',
  modulesToNotConvert: 'exclude',
  ignore: 'exclude',
};

const elsewhere = 'a quantized model is trained with the plugin qlora';

export const unsupported = {
  loadIn4bit: 'set bits: 4',
  loadIn4Bit: 'set bits: 4',
  loadIn8bit: 'set bits: 8',
  loadIn8Bit: 'set bits: 8',
  bnb4bitQuantType: elsewhere,
  bnb4BitQuantType: elsewhere,
  descAct: { reason: 'columns are quantized in their own order', accepts: [false] },
  dataset: 'scales are chosen by the weights alone, without calibration data',
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    quantize?: z.input<typeof quantizeOptions>;
  }
}
