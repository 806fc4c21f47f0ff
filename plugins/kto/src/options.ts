// The section `kto` of the configuration: names of TRL's KTOConfig in camelCase.
import type { Refusal } from '@lmflow/sdk';
import { z } from 'zod';

export const ktoOptions = z.object({
  beta: z
    .number()
    .positive()
    .default(0.1)
    .describe('Strength of the reference: rewards are beta log(policy / reference).'),
  lossType: z
    .enum(['kto', 'apo_zero_unpaired'])
    .default('kto')
    .describe(
      'Loss: kto compares with how far the policy is from the reference, the other does not.',
    ),
  desirableWeight: z.number().positive().default(1).describe('Weight of the good answers.'),
  undesirableWeight: z.number().positive().default(1).describe('Weight of the bad answers.'),
  disableDropout: z
    .boolean()
    .default(true)
    .describe('Train without dropout, also where an adapter has some.'),
});

/** The parsed section. */
export type KtoOptions = z.output<typeof ktoOptions>;

/** Names of LLaMA-Factory. */
export const aliases = {
  prefBeta: 'beta',
  ktoChosenWeight: 'desirableWeight',
  ktoRejectedWeight: 'undesirableWeight',
};

const length = 'set blockSize for prompt and answer together, and truncation for what is longer';
const reference = 'the reference is the model as training finds it';

export const unsupported: Readonly<Record<string, Refusal>> = {
  maxLength: length,
  maxPromptLength: length,
  maxCompletionLength: length,
  refModel: { reason: reference, accepts: [null] },
  syncRefModel: { reason: `${reference}, and stays so`, accepts: [false] },
  precomputeRefLogProbs: {
    reason: 'the reference of mismatched answers is only known in the step',
    accepts: [false],
  },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    kto?: z.input<typeof ktoOptions>;
  }
}
