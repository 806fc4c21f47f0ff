// `lmflow reward-model`: pairs of answers, a model with a scalar head, and the one training loop.
import {
  MODELS,
  SAMPLES,
  TRAINER,
  trainingFlags,
  type CommandSpec,
  type FitResult,
  type PluginContext,
  type Samples,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { settingMissing } from './errors.ts';
import { rewardModeling } from './objective.ts';
import type { RewardModelOptions } from './options.ts';

declare module '@lmflow/sdk' {
  interface CommandResults {
    'reward-model': FitResult;
  }
}

/** What people set, for the help. */
const MOST_SET = [
  'model',
  'dataset',
  'evalDataset',
  'validationSplit',
  'outputDir',
  'rewardModel',
  'numTrainEpochs',
  'maxSteps',
  'perDeviceTrainBatchSize',
  'gradientAccumulationSteps',
  'learningRate',
  'blockSize',
  'truncation',
  'chatTemplate',
  'evalStrategy',
  'saveSteps',
  'loggingSteps',
  'resumeFromCheckpoint',
  'seed',
  'lora',
] as const;

const DEFAULT_SEED = 42;

/** The command; models that it loads go into `training`. */
export function rewardModelCommand(
  context: PluginContext<RewardModelOptions>,
  training: WeakSet<Model>,
): CommandSpec<typeof trainingFlags> {
  const { resolve, log } = context;
  return {
    name: 'reward-model',
    summary: 'Trains a model to score answers, on pairs of a chosen and a rejected one.',
    options: trainingFlags,
    sections: MOST_SET,
    examples: [
      'lmflow reward-model --preset reward-model --model sft --dataset pairs.json --output-dir rm',
    ],
    run: async ({ config, options, signal }) => {
      const { model: source, dataset, seed = DEFAULT_SEED } = config;
      if (source === undefined) throw settingMissing('reward-model', 'a model', 'Add --model sft.');
      if (dataset === undefined) {
        throw settingMissing('reward-model', 'pairs', 'Add --dataset pairs.json.');
      }
      // first, because it checks its options
      const trainer = resolve(TRAINER);
      const model = await resolve(MODELS).load({
        role: 'policy',
        purpose: 'training',
        source,
        classifier: { labels: 1, seed },
        signal,
      });
      training.add(model);
      if (model.freshHead) log.info(`a fresh head scores answers (seed ${seed})`);
      warnOfPadding(context, model);
      const { train, evaluation, description } = await resolve(SAMPLES).load({
        tokenizer: model.tokenizer,
        maxPositions: model.architecture.maxPositions,
        preferences: 'pairs',
        signal,
      });
      const margin =
        context.options.margin && hasMargin(train) && (!evaluation || hasMargin(evaluation));
      const result = await trainer.fit({
        model,
        train,
        evaluation,
        signal,
        description,
        objective: rewardModeling({ ...context.options, margin }),
        dryRun: options.dryRun,
      });
      return { result, exitCode: result.stoppedEarly && signal.aborted ? 130 : 0 };
    },
  };
}

/** Whether the pairs have a column `margin`: all have, or none. */
function hasMargin({ group }: Samples): boolean {
  return group?.get(0)[0]?.columns?.['margin'] !== undefined;
}

/** A model whose padding ends texts is read before the end, as transformers does. */
function warnOfPadding({ log }: Pick<PluginContext, 'log'>, { config, eosIds }: Model): void {
  const padding = config['pad_token_id'];
  if (typeof padding !== 'number' || !eosIds?.includes(padding)) return;
  log.warn(
    `pad_token_id of this reward model, ${padding}, ends texts: rewards are read at the token ` +
      'before the end, as in transformers',
  );
}
