// The section `dpo` of the configuration: names of TRL's DPOConfig in camelCase, LMFlow's for the
// choice of pairs. Numbers that only some losses read have no default here, so that one that is given
// for nothing is an error (settings.ts).
import type { Refusal } from '@lmflow/sdk';
import { z } from 'zod';
import { LOSS_NAMES } from './losses.ts';
import { PAIRINGS } from './scored-pairs.ts';
import { DIVERGENCES } from './terms.ts';

const lossName = z.enum(LOSS_NAMES);

export const dpoOptions = z.object({
  beta: z
    .number()
    .positive()
    .optional()
    .describe('Strength of the reference: rewards are beta log(policy / reference). Default: 0.1.'),
  lossType: z
    .union([lossName, z.array(lossName).nonempty()])
    .default('sigmoid')
    .describe(`A loss, or several that are added: ${LOSS_NAMES.join(', ')}.`),
  lossWeights: z
    .array(z.number())
    .nonempty()
    .optional()
    .describe('A weight for each loss of lossType. Default: 1 each.'),
  rpoAlpha: z
    .number()
    .positive()
    .optional()
    .describe('Weight of the cross-entropy of chosen answers, added to the loss (sft).'),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(0.5)
    .optional()
    .describe('Probability of a wrong label, in sigmoid (cDPO), robust and exo_pair. Default: 0.'),
  fDivergenceType: z
    .enum(DIVERGENCES)
    .default('reverse_kl')
    .describe('Divergence from the reference (f-DPO).'),
  fAlphaDivergenceCoef: z
    .number()
    .optional()
    .describe('The alpha of alpha_divergence. Default: 0.5.'),
  discopopTau: z
    .number()
    .positive()
    .optional()
    .describe('Temperature of the blend in discopop. Default: 0.05.'),
  simpoGamma: z.number().optional().describe('Margin of the rewards in simpo. Default: 0.5.'),
  referenceFree: z
    .boolean()
    .default(false)
    .describe('Compare with a reference to which all answers are equally likely.'),
  precomputeRefLogProbs: z
    .boolean()
    .optional()
    .describe(
      "Compute the reference's log-probabilities once, before the first step. Default: where it " +
        'is no adapter switched off.',
    ),
  disableDropout: z
    .boolean()
    .default(true)
    .describe('Train without dropout, also where an adapter has some.'),
  samplingPairedMethod: z
    .enum(PAIRINGS)
    .optional()
    .describe(
      'Lists with scores: which two answers are a pair: best and worst (default), best and second, ' +
        'best and any, any two.',
    ),
  lengthPenalty: z
    .number()
    .optional()
    .describe("Lists with scores: taken off an answer's score for each character. Default: 0."),
  marginScale: z
    .number()
    .positive()
    .optional()
    .describe('Lists with scores: margin of rev_kl per difference of the scores. Default: 1.'),
});

/** The parsed section. */
export type DpoOptions = z.output<typeof dpoOptions>;

/** Names of LLaMA-Factory, and short ones. */
export const aliases = {
  loss: 'lossType',
  prefLoss: 'lossType',
  prefBeta: 'beta',
  prefFtx: 'rpoAlpha',
  dpoLabelSmoothing: 'labelSmoothing',
  gamma: 'simpoGamma',
  precomputeRefLogProb: 'precomputeRefLogProbs',
};

const length = 'set blockSize for prompt and answer together, and truncation for what is longer';
const reference = 'the reference is the model as training finds it';

export const unsupported: Readonly<Record<string, Refusal>> = {
  maxLength: length,
  maxPromptLength: `TRL has it no more; ${length}`,
  maxCompletionLength: `TRL has it no more; ${length}`,
  truncationMode: 'set truncation: right keeps the start, left the end',
  refModel: { reason: reference, accepts: [null] },
  refModelAdapters: { reason: reference, accepts: [null] },
  syncRefModel: { reason: `${reference}, and stays so`, accepts: [false] },
  useWeighting: { reason: 'WPO is not offered', accepts: [false] },
  ldAlpha: { reason: 'LD-DPO is not offered', accepts: [null] },
  maskPrompt: { reason: 'the prompt is never trained', accepts: [true] },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    dpo?: z.input<typeof dpoOptions>;
  }
}
