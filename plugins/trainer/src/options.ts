// The training arguments: Hugging Face's TrainingArguments in camelCase, with their defaults, as
// flat configuration keys. Refused ones are in refused-options.ts, with the reason.
import { OPTIMIZERS, SCHEDULES } from '@lmflow/sdk';
import { z } from 'zod';

const strategy = z.enum(['no', 'steps', 'epoch']);
const count = z.int().min(1);
const every = z.number().positive();

/** The trainer's configuration keys. A number of steps below 1 is a fraction of all steps. */
export const trainerOptions = z.object({
  numTrainEpochs: z
    .number()
    .positive()
    .default(3)
    .describe('Passes over the data (a fraction ends inside one).'),
  maxSteps: z
    .int()
    .default(-1)
    .describe('Optimizer steps in all; overrides numTrainEpochs where positive.'),
  perDeviceTrainBatchSize: count.default(8).describe('Sequences in a training micro-batch.'),
  perDeviceEvalBatchSize: count.default(8).describe('Sequences in an evaluation batch.'),
  gradientAccumulationSteps: count
    .default(1)
    .describe(
      'Micro-batches in one optimizer step; the loss is averaged over all their trained tokens.',
    ),

  learningRate: z.number().min(0).default(5e-5).describe('Highest learning rate of the schedule.'),
  lrSchedulerType: z
    .string()
    .default('linear')
    .describe(
      'Learning rate schedule: linear, cosine, constant, constant_with_warmup, polynomial, ' +
        'inverse_sqrt, cosine_with_restarts, cosine_with_min_lr, warmup_stable_decay.',
    )
    .meta({ table: SCHEDULES.name }),
  lrSchedulerKwargs: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Arguments of the schedule, e.g. { "num_cycles": 2 }.'),
  warmupSteps: z
    .number()
    .min(0)
    .default(0)
    .describe('Steps in which the learning rate rises from 0 (below 1: fraction of all steps).'),
  warmupRatio: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('WarmupSteps as a fraction of all steps: the older name, instead of warmupSteps.'),

  optim: z
    .string()
    .default('adamw_torch')
    .describe(
      'Optimizer: adamw_torch, adamw_8bit, adafactor, lion, schedule_free_adamw, sgd, adam, ' +
        'adan, lamb, muon, nadam, radam, sophia.',
    )
    .meta({ table: OPTIMIZERS.name }),
  optimArgs: z
    .union([z.string(), z.record(z.string(), z.union([z.number(), z.boolean(), z.string()]))])
    .default({})
    .describe('Arguments of the optimizer, e.g. "momentum=0.9,nesterov=true", or an object.'),
  weightDecay: z
    .number()
    .min(0)
    .default(0)
    .describe('Decoupled weight decay, not on biases and norms.'),
  adamBeta1: z.number().min(0).lt(1).default(0.9).describe("Decay of AdamW's first moment."),
  adamBeta2: z.number().min(0).lt(1).default(0.999).describe("Decay of AdamW's second moment."),
  adamEpsilon: z.number().min(0).default(1e-8).describe("AdamW's term in the denominator."),
  maxGradNorm: z
    .number()
    .min(0)
    .default(1)
    .describe('Gradients are scaled down to this global norm; 0 leaves them.'),

  loggingStrategy: strategy.default('steps').describe('When figures are logged.'),
  loggingSteps: every.default(10).describe('Log every so many steps.'),
  loggingFirstStep: z.boolean().default(false).describe('Log the first step too.'),

  evalStrategy: strategy
    .default('no')
    .describe('When to evaluate; evaluation data is always evaluated at the end.'),
  evalSteps: every
    .optional()
    .describe('Evaluate every so many steps (loggingSteps where left out).'),
  evalDelay: z
    .number()
    .min(0)
    .default(0)
    .describe('Steps (or epochs) before the first evaluation.'),
  evalOnStart: z
    .boolean()
    .default(false)
    .describe('Evaluate before the first step (never the best model).'),

  saveStrategy: z
    .enum(['no', 'steps', 'epoch', 'best'])
    .default('steps')
    .describe('When to write a checkpoint; the last step is saved with steps and epoch.'),
  saveSteps: every.default(500).describe('Write a checkpoint every so many steps.'),
  saveTotalLimit: count
    .optional()
    .describe('Keep only so many checkpoints (the latest, and the best one).'),
  saveOnlyModel: z
    .boolean()
    .default(false)
    .describe('Leave the optimizer out of checkpoints; they cannot be resumed from.'),
  loadBestModelAtEnd: z
    .boolean()
    .default(false)
    .describe('End with the best model of all evaluations; each new best one is saved.'),
  metricForBestModel: z
    .string()
    .optional()
    .describe('Figure of the evaluation that decides (default: loss).'),
  greaterIsBetter: z
    .boolean()
    .optional()
    .describe(
      'Whether more of that figure is better (default: unless its name ends in loss, perplexity or bits_per_byte).',
    ),
  earlyStoppingPatience: count
    .optional()
    .describe('Stop after so many evaluations in a row that are not better.'),
  earlyStoppingThreshold: z
    .number()
    .min(0)
    .default(0)
    .describe('By how much an evaluation must be better to count.'),

  resumeFromCheckpoint: z
    .union([z.boolean(), z.string().min(1)])
    .default(false)
    .describe('Resume from the last complete checkpoint in outputDir (true), or from this folder.'),
  allowConfigChange: z
    .boolean()
    .default(false)
    .describe('Resume with changed settings that decide the result.'),
  overwriteOutputDir: z
    .boolean()
    .default(false)
    .describe('Start anew in an outputDir that is not empty, and remove its old checkpoints.'),

  dataSeed: z.int().min(0).optional().describe('Seed of the order of samples (default: seed).'),
  dataloaderDropLast: z
    .boolean()
    .default(false)
    .describe('Leave out the last micro-batch of an epoch if it is not full.'),
  trainSamplingStrategy: z
    .enum(['random', 'sequential', 'group_by_length'])
    .default('random')
    .describe('Order of the samples in an epoch.'),
  groupByLength: z
    .boolean()
    .default(false)
    .describe('The older name of trainSamplingStrategy: group_by_length.'),
  padToMultipleOf: count
    .default(64)
    .describe(
      'Batches are padded to a multiple of this length, so that few programs are compiled.',
    ),
  paddingFree: z
    .boolean()
    .default(true)
    .describe(
      'Samples of a micro-batch stand one after another instead of being padded to the ' +
        'longest, where that saves a tenth; they do not see each other.',
    ),

  runName: z.string().optional().describe('Name of the run, for the model card.'),
  reportTo: z
    .union([z.literal('none'), z.array(z.literal('none'))], {
      error: 'must be "none": figures go to trainer_log.jsonl and to plugins that tap onMetrics',
    })
    .default('none')
    .describe('none: figures go to trainer_log.jsonl and to plugins that tap onMetrics.'),
});

/** The trainer's options after parsing. */
export type TrainerOptions = z.output<typeof trainerOptions>;

/** The trainer's options before parsing. */
export type TrainerInput = z.input<typeof trainerOptions>;

/**
 * Other spellings of the keys: older Hugging Face names, Axolotl's, and the short ones people type.
 */
export const trainerAliases: Readonly<Record<string, string>> = {
  lr: 'learningRate',
  epochs: 'numTrainEpochs',
  batchSize: 'perDeviceTrainBatchSize',
  trainBatchSize: 'perDeviceTrainBatchSize',
  evalBatchSize: 'perDeviceEvalBatchSize',
  perGpuTrainBatchSize: 'perDeviceTrainBatchSize',
  perGpuEvalBatchSize: 'perDeviceEvalBatchSize',
  evaluationStrategy: 'evalStrategy',
  microBatchSize: 'perDeviceTrainBatchSize',
  numEpochs: 'numTrainEpochs',
  optimizer: 'optim',
  lrScheduler: 'lrSchedulerType',
};
