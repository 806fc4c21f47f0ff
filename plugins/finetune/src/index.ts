// `lmflow finetune`: continuous pretraining and instruction tuning. Trains every weight, unless a
// plugin before it (lora) chose its own parameters.
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import {
  LANGUAGE_MODELING,
  MODEL_WRITER,
  MODELS,
  SAMPLES,
  TRAINER,
  definePlugin,
  trainingFlags,
  type FitResult,
} from '@lmflow/sdk';
import { declareMethod, type Model } from '@lmflow/sdk/model';
import { z } from 'zod';
import { settingMissing } from './errors.ts';
import { restoreAll, trainAll } from './full.ts';
import { otherTools } from './refused-options.ts';
import { languageModeling } from './objective.ts';
import manifest from '../package.json' with { type: 'json' };

const name = '@lmflow/plugin-finetune';

declare module '@lmflow/sdk' {
  interface CommandResults {
    finetune: FitResult;
  }
}

/** What people set, for the help. */
const MOST_SET = [
  'model',
  'dataset',
  'evalDataset',
  'outputDir',
  'numTrainEpochs',
  'maxSteps',
  'perDeviceTrainBatchSize',
  'gradientAccumulationSteps',
  'learningRate',
  'lrSchedulerType',
  'optim',
  'blockSize',
  'lora.r',
  'lora.loraAlpha',
  'lora.targetModules',
  'chatTemplate',
  'gradientCheckpointing',
  'evalStrategy',
  'saveSteps',
  'loggingSteps',
  'resumeFromCheckpoint',
  'overwriteOutputDir',
  'seed',
  'lora',
] as const;

const finetune = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models', '@lmflow/plugin-datasets', '@lmflow/plugin-trainer'],
  options: { schema: z.object({}), unsupported: otherTools },
  apply(context) {
    const { hooks, resolve } = context;
    const trainsAll = new WeakSet<object>();

    context.provide(LANGUAGE_MODELING, () => languageModeling);

    hooks.onModelLoad.tap('parameters', async (model, { purpose }) => {
      if (purpose !== 'training' || model.parameters.size > 0) return;
      await trainAll(model);
      declareMethod(model, { plugin: name, name: 'full finetuning' });
      trainsAll.add(model);
    });

    hooks.onSave.tap(async ({ model, directory }) => {
      if (trainsAll.has(model)) await resolve(MODEL_WRITER).write(model, directory);
      else await saveTokenizer(model, directory);
    });

    hooks.onRestore.tap(async ({ model, directory }) => {
      if (trainsAll.has(model)) await restoreAll(model, directory);
    });

    context.command({
      name: 'finetune',
      summary: 'Trains a model on your data: all weights, or an adapter with the preset lora.',
      options: trainingFlags,
      sections: MOST_SET,
      examples: [
        'lmflow finetune --preset lora --model meta-llama/Llama-3.2-1B --dataset data.json --output-dir out',
      ],
      run: async ({ config, options, signal }) => {
        if (config.model === undefined) throw settingMissing('model', 'meta-llama/Llama-3.2-1B');
        if (config.dataset === undefined) throw settingMissing('dataset', 'data.json');
        // first, because it checks its options
        const trainer = resolve(TRAINER);
        const model = await resolve(MODELS).load({
          role: 'policy',
          purpose: 'training',
          source: config.model,
          signal,
        });
        const { train, evaluation, description } = await resolve(SAMPLES).load({
          tokenizer: model.tokenizer,
          maxPositions: model.architecture.maxPositions,
          signal,
        });
        const result = await trainer.fit({
          model,
          train,
          evaluation,
          signal,
          description,
          objective: resolve(LANGUAGE_MODELING),
          dryRun: options.dryRun,
        });
        return { result, exitCode: result.stoppedEarly && signal.aborted ? 130 : 0 };
      },
    });
  },
});

/** Beside an adapter, so that its folder is used alone. */
async function saveTokenizer({ tokenizer }: Model, directory: string): Promise<void> {
  for (const [file, content] of await tokenizer.files()) {
    await writeFile(join(directory, file), content);
  }
}

export default finetune;
