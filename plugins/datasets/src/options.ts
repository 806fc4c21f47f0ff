// The configuration keys of this plugin, and the object form of a dataset entry.
import type { Refusal } from '@lmflow/sdk';
import { z } from 'zod';

/** What a dataset entry may say beside its path. */
export const entrySchema = z.strictObject({
  path: z.string().min(1).optional().describe('File or folder, or a Hugging Face id'),
  name: z.string().min(1).optional().describe('Name for messages and the model card'),
  subset: z
    .string()
    .min(1)
    .optional()
    .describe('Subset (configuration) of a Hugging Face dataset, or subfolder'),
  split: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Split of a folder or Hugging Face dataset whose files name splits; default train ' +
        '(validation or test for evalDataset)',
    ),
  revision: z
    .string()
    .min(1)
    .optional()
    .describe('Branch, tag or commit of a Hugging Face dataset'),
  weight: z.number().positive().optional().describe('Share in the mix'),
  format: z.string().optional().describe('Record format, where it is not to be detected'),
  columns: z
    .record(z.string(), z.string())
    .optional()
    .describe('Key of the format -> key in the file'),
  maxSamples: z.int().positive().optional().describe('Use only the first records'),
  sampleBy: z
    .enum(['document', 'paragraph', 'line'])
    .optional()
    .describe('What is one text of a .txt file'),
});

/** A dataset entry in its object form. */
export type DatasetEntry = z.output<typeof entrySchema>;

const datasetSetting = z.union([z.string(), z.record(z.string(), z.unknown())]);

/** The keys of this plugin. */
export const optionsSchema = z.object({
  evalDataset: z
    .union([datasetSetting, z.array(datasetSetting)])
    .optional()
    .describe('Data to evaluate on: as dataset.'),
  validationSplit: z
    .number()
    .positive()
    .refine(
      (value) => value < 1 || Number.isInteger(value),
      'must be a fraction below 1, or a whole number of records',
    )
    .optional()
    .describe(
      'Part of the dataset kept for evaluation: a fraction below 1, or a number of records; drawn by seed.',
    ),
  maxTrainSamples: z.int().positive().optional().describe('Train on the first records only.'),
  maxEvalSamples: z.int().positive().optional().describe('Evaluate on the first records only.'),
  blockSize: z
    .int()
    .min(2)
    .optional()
    .describe("Longest sequence in tokens; default the smaller of 1024 and the model's positions."),
  packing: z
    .boolean()
    .default(false)
    .describe('Fill sequences of blockSize with several samples that do not see each other.'),
  groupTexts: z
    .boolean()
    .default(false)
    .describe(
      'Text data: join documents and cut the stream into blocks of blockSize (documents see each other).',
    ),
  trainOnPrompt: z
    .boolean()
    .default(false)
    .describe('Train on every token, not only on the answers.'),
  maskHistory: z
    .boolean()
    .default(false)
    .describe('Conversations: train on the last answer only, not on those before it.'),
  truncation: z
    .enum(['right', 'left', 'drop'])
    .default('right')
    .describe(
      'Samples longer than blockSize: cut their end, cut their beginning, or leave them out.',
    ),
  datasetFormat: z
    .string()
    .optional()
    .describe(
      'Record format of all datasets, where it is not to be detected (alpaca, sharegpt, conversation, ...).',
    ),
  datasetTextField: z
    .string()
    .optional()
    .describe('Key or column that holds the text; makes the data text_only.'),
  datasetColumns: z
    .record(z.string(), z.string())
    .optional()
    .describe('Key of the format -> key or column in the files, for all datasets.'),
  mixing: z
    .enum(['allExhausted', 'firstExhausted'])
    .default('allExhausted')
    .describe(
      'Weighted datasets: stop when every one was seen whole (the small ones repeat), or when the first ends.',
    ),
  datasetCacheDir: z
    .string()
    .optional()
    .describe(
      'Where tokenized data is kept; in the cache (LMFLOW_CACHE), folder datasets, by default.',
    ),
  overwriteCache: z
    .boolean()
    .default(false)
    .describe('Tokenize again even where the cache has it.'),
});

/** The parsed options. */
export type DatasetOptions = z.output<typeof optionsSchema>;

/** Names of TRL, LLaMA-Factory, Axolotl and the original LMFlow. */
export const aliases: Readonly<Record<string, string>> = {
  maxLength: 'blockSize',
  maxSeqLength: 'blockSize',
  cutoffLen: 'blockSize',
  sequenceLen: 'blockSize',
  modelMaxLength: 'blockSize',
  samplePacking: 'packing',
  neatPacking: 'packing',
  valSize: 'validationSplit',
  valSetSize: 'validationSplit',
  trainOnInputs: 'trainOnPrompt',
  datasetText: 'datasetTextField',
  overwriteDatasetCache: 'overwriteCache',
  maxSamples: 'maxTrainSamples',
};

/** Names that are known from elsewhere and refused here, with the reason. */
export const unsupported: Readonly<Record<string, Refusal>> = {
  disableGroupTexts: 'say groupTexts: true or false instead',
  validationSplitPercentage: 'say validationSplit: 0.05 for 5 %',
  evalPacking:
    'packing holds for training and evaluation; the loss is per token, so it is the same',
  packingStrategy: { reason: 'packing is always best-fit decreasing', accepts: ['bfd'] },
  completionOnlyLoss: 'only answers are trained unless trainOnPrompt is true',
  assistantOnlyLoss: 'only answers are trained unless trainOnPrompt is true',
  rolesToTrain:
    "the assistant's answers are trained; weight: 0 on one leaves it out, trainOnPrompt: true trains everything",
  trainOnEos: 'what ends the turn of an answer is always trained',
  paddingSide: {
    reason: 'training pads on the right, padding never carries loss or attention',
    accepts: ['right'],
  },
  preprocessingNumWorkers: { reason: 'the tokenizer uses all cores by itself', accepts: [null] },
  datasetNumProc: { reason: 'the tokenizer uses all cores by itself', accepts: [null] },
  groupTextsBatchSize: 'texts are grouped as one stream, nothing is dropped between batches',
  streaming: { reason: 'files are always streamed', accepts: [true] },
};

type Input = z.input<typeof optionsSchema>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    evalDataset?: Input['evalDataset'];
    validationSplit?: number;
    maxTrainSamples?: number;
    maxEvalSamples?: number;
    blockSize?: number;
    packing?: boolean;
    groupTexts?: boolean;
    trainOnPrompt?: boolean;
    maskHistory?: boolean;
    truncation?: Input['truncation'];
    datasetFormat?: string;
    datasetTextField?: string;
    datasetColumns?: Input['datasetColumns'];
    mixing?: Input['mixing'];
    datasetCacheDir?: string;
    overwriteCache?: boolean;
  }
}
