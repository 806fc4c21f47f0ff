// The `qlora` section of the configuration; names of transformers' BitsAndBytesConfig are aliases.
import { isModulePattern } from '@lmflow/sdk/model';
import { z } from 'zod';

export const qloraOptions = z.object({
  bits: z
    .literal(4)
    .default(4)
    .describe('Bits of a weight. For 8 there is the plugin int8-compute.'),
  quantType: z
    .enum(['nf4', 'fp4'])
    .default('nf4')
    .describe('Data type: nf4 (for normally distributed weights, as in the QLoRA paper) or fp4.'),
  doubleQuant: z.boolean().default(true).describe("Quantize the blocks' scales to 8 bits too."),
  exclude: z
    .array(z.string().refine(isModulePattern, 'is not a regular expression'))
    .default([])
    .describe(
      'Linears to leave in float32: names or regular expressions, matched with the whole path or its end after a dot.',
    ),
  cacheDir: z
    .string()
    .optional()
    .describe(
      'Where 4-bit weights are kept; in the cache (LMFLOW_CACHE), folder qlora, by default.',
    ),
});

export type QloraOptions = z.output<typeof qloraOptions>;

export const aliases = {
  bnb4bitQuantType: 'quantType',
  bnb4BitQuantType: 'quantType',
  bnb4bitUseDoubleQuant: 'doubleQuant',
  bnb4BitUseDoubleQuant: 'doubleQuant',
  useDoubleQuant: 'doubleQuant',
  doubleQuantization: 'doubleQuant',
  llmInt8SkipModules: 'exclude',
  skipModules: 'exclude',
};

const computeDtype = 'products are computed in float32';
const quantStorage = 'codes are stored as bytes';

export const unsupported = {
  bnb4bitComputeDtype: { reason: computeDtype, accepts: ['float32'] },
  bnb4BitComputeDtype: { reason: computeDtype, accepts: ['float32'] },
  bnb4bitQuantStorage: quantStorage,
  bnb4BitQuantStorage: quantStorage,
  loadIn4bit: { reason: 'this plugin always computes in 4 bits', accepts: [true] },
  loadIn4Bit: { reason: 'this plugin always computes in 4 bits', accepts: [true] },
  loadIn8bit: { reason: 'use the plugin int8-compute', accepts: [false] },
  loadIn8Bit: { reason: 'use the plugin int8-compute', accepts: [false] },
  blockSize: { reason: 'it is always 64, as in the paper and in bitsandbytes', accepts: [64] },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    qlora?: z.input<typeof qloraOptions> | true;
  }
}
