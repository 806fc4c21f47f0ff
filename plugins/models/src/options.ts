// The plugin's configuration keys. The model itself is the core key `model`.
import type { Refusal } from '@lmflow/sdk';
import { z } from 'zod';

export const modelOptions = z.object({
  revision: z
    .string()
    .min(1)
    .optional()
    .describe('Branch, tag or commit of a Hugging Face model (default main).'),
  fromScratch: z
    .boolean()
    .default(false)
    .describe(
      'Train from random weights (by seed): the model folder needs only config.json and tokenizer files.',
    ),
});

export type ModelOptions = z.output<typeof modelOptions>;

export const aliases = {
  trainFromScratch: 'fromScratch',
  modelRevision: 'revision',
} as const;

const dtypeReason =
  'weights are read in whatever type the checkpoint has, and everything is computed in float32';

export const unsupported: Readonly<Record<string, Refusal>> = {
  trustRemoteCode: {
    reason:
      "code in a model's repository is Python and is never run; a plugin can add a family (MODEL_FAMILIES)",
    accepts: [false],
  },
  torchDtype: { reason: dtypeReason, accepts: ['float32'] },
  dtype: { reason: dtypeReason, accepts: ['float32'] },
  useFastTokenizer: { reason: 'there is one tokenizer, that of tokenizer.json', accepts: [true] },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    revision?: string;
    fromScratch?: boolean;
  }
}
