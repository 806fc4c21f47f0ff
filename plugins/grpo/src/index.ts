// `lmflow grpo`: a model learns from rewards of its own answers, each compared with the others to the
// same prompt. What is trained (an adapter, or all weights) other plugins decide.
import { EVALUATIONS, definePlugin, trainingFlags, type FitResult } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import type { OnlineRun } from './online-run.ts';
import { aliases, grpoOptions, unsupported } from './options.ts';
import { shownLine } from './shown-answers.ts';
import { train } from './train.ts';
import manifest from '../package.json' with { type: 'json' };

export { grpoOptions, type GrpoOptions } from './options.ts';

const name = '@lmflow/plugin-grpo';

declare module '@lmflow/sdk' {
  interface CommandResults {
    grpo: FitResult;
  }
}

/** What people set, for the help. */
const MOST_SET = [
  'model',
  'dataset',
  'evalDataset',
  'outputDir',
  'rewards',
  'grpo.lossType',
  'grpo.numGenerations',
  'grpo.maxCompletionLength',
  'grpo.temperature',
  'grpo.beta',
  'grpo.numIterations',
  'numTrainEpochs',
  'maxSteps',
  'perDeviceTrainBatchSize',
  'gradientAccumulationSteps',
  'learningRate',
  'lora.r',
  'evalStrategy',
  'loggingSteps',
  'resumeFromCheckpoint',
  'overwriteOutputDir',
  'seed',
  'grpo',
] as const;

const grpo = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: [
    '@lmflow/plugin-models',
    '@lmflow/plugin-rollouts',
    '@lmflow/plugin-rewards',
    '@lmflow/plugin-trainer',
    '@lmflow/plugin-scoring',
  ],
  options: { section: 'grpo', schema: grpoOptions, aliases, unsupported },
  apply(context) {
    const { hooks, log } = context;
    const runs = new WeakMap<Model, OnlineRun>();
    /** Of the command that runs. */
    let current: { readonly run: OnlineRun; readonly evaluates: boolean } | undefined;

    hooks.onStepStart.tap(({ model, figures }) => {
      const round = runs.get(model)?.takeFigures() ?? {};
      for (const [figure, value] of Object.entries(round)) figures.add(figure, value);
    });

    hooks.onMetrics.tap(({ kind }) => {
      if (kind !== 'train') return;
      for (const answer of current?.run.shown ?? []) log.info(shownLine(answer));
    });

    hooks.onSave.tap(async (checkpoint) => {
      if (checkpoint.kind === 'checkpoint') await runs.get(checkpoint.model)?.save(checkpoint);
    });

    hooks.onRestore.tap(async (checkpoint) => {
      await runs.get(checkpoint.model)?.restore(checkpoint);
    });

    context.contribute(EVALUATIONS, {
      name: 'grpo',
      wanted: () => current?.evaluates === true,
      prepare: () => Promise.resolve(),
      evaluate: ({ signal }) => current!.run.evaluate(signal),
    });

    context.command({
      name: 'grpo',
      summary:
        'Trains a model by rewards of its own answers, compared within groups: GRPO and relatives.',
      options: trainingFlags,
      sections: MOST_SET,
      examples: [
        'lmflow grpo --preset grpo --model org/model --dataset prompts.json --output-dir out',
      ],
      run: async ({ config, options, signal }) => {
        try {
          const result = await train(context, {
            config,
            dryRun: options.dryRun,
            signal,
            began: (model, run, evaluates) => {
              runs.set(model, run);
              current = { run, evaluates };
            },
          });
          return { result, exitCode: result.stoppedEarly && signal.aborted ? 130 : 0 };
        } finally {
          current = undefined;
        }
      },
    });
  },
});

export default grpo;
