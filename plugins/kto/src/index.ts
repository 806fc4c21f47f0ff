// `lmflow kto`: a model learns from answers that are judged good or bad, each alone.
import {
  MODELS,
  SAMPLES,
  SCORER,
  TRAINER,
  definePlugin,
  trainingFlags,
  withNumber,
  type Batch,
  type CommandInvocation,
  type FitResult,
  type PluginContext,
  type Samples,
  type Step,
  type TrainingFlags,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { referenceOf, withReference } from '@lmflow/plugin-dpo';
import { oneLabel, settingMissing, stepTooSmall } from './errors.ts';
import { Divergence } from './mismatched.ts';
import { DIVERGENCE, ktoObjective } from './objective.ts';
import { aliases, ktoOptions, unsupported, type KtoOptions } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { ktoOptions, type KtoOptions } from './options.ts';

const name = '@lmflow/plugin-kto';

declare module '@lmflow/sdk' {
  interface CommandResults {
    kto: FitResult;
  }
}

/** What people set, for the help. */
const MOST_SET = [
  'model',
  'dataset',
  'evalDataset',
  'outputDir',
  'kto.beta',
  'kto.desirableWeight',
  'kto.undesirableWeight',
  'numTrainEpochs',
  'maxSteps',
  'perDeviceTrainBatchSize',
  'gradientAccumulationSteps',
  'learningRate',
  'blockSize',
  'lora.r',
  'loggingSteps',
  'resumeFromCheckpoint',
  'overwriteOutputDir',
  'seed',
  'kto',
] as const;

type Context = PluginContext<KtoOptions>;

/** z of the steps of a training: one for all micro-batches of a step. */
interface JudgedRun {
  readonly divergence: Divergence;
  step?: { readonly batches: readonly Batch[]; readonly z: number };
}

const kto = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: [
    '@lmflow/plugin-models',
    '@lmflow/plugin-datasets',
    '@lmflow/plugin-trainer',
    '@lmflow/plugin-scoring',
  ],
  options: { section: 'kto', schema: ktoOptions, aliases, unsupported },
  apply(context) {
    const runs = new WeakMap<Model, JudgedRun>();

    context.hooks.onBatch.tap(async (batch, step) => {
      const run = runs.get(step.model);
      if (!run || context.options.lossType !== 'kto') return undefined;
      return withNumber(batch, DIVERGENCE, await divergenceOf(run, step));
    });

    context.command({
      name: 'kto',
      summary: 'Trains a model on answers that are judged good or bad, each alone: KTO.',
      options: trainingFlags,
      sections: MOST_SET,
      examples: [
        'lmflow kto --preset kto --model org/model --dataset judged.json --output-dir out',
      ],
      run: (invocation) => train(context, runs, invocation),
    });
  },
});

/** z of the step: computed at its first micro-batch, before the first gradient. */
async function divergenceOf(run: JudgedRun, step: Step): Promise<number> {
  const { mode, number, batches, figures } = step;
  const planned = mode === 'training' && number === 0; // only its memory
  if (planned) return 0;
  if (run.step?.batches === batches) return run.step.z;
  const answers = batches.reduce((sum, { sequences }) => sum + sequences.length, 0);
  if (mode === 'training' && answers < 2) throw stepTooSmall(number);
  const value = await run.divergence.of(batches);
  run.step = { batches, z: value };
  figures.add('kl', value * answers, answers);
  return value;
}

async function train(
  context: Context,
  runs: WeakMap<Model, JudgedRun>,
  { config, options: { dryRun }, signal }: CommandInvocation<TrainingFlags>,
): Promise<{ readonly result: FitResult; readonly exitCode: number }> {
  const { options, resolve, log } = context;
  if (config.model === undefined) throw settingMissing('model', 'meta-llama/Llama-3.2-1B');
  if (config.dataset === undefined) throw settingMissing('dataset', 'judged.json');
  // first, because it checks its options
  const trainer = resolve(TRAINER);
  const source = config.model;
  const model = await resolve(MODELS).load({ role: 'policy', purpose: 'training', source, signal });
  const loaded = await resolve(SAMPLES).load({
    tokenizer: model.tokenizer,
    maxPositions: model.architecture.maxPositions,
    preferences: 'unpaired',
    signal,
  });
  checkLabels(context, loaded.train);
  const reference = referenceOf(model, { precompute: undefined, config });
  log.info(`reference: ${reference.what}`);
  const scorer = resolve(SCORER);
  const samples = await withReference(loaded, { reference, scorer, dryRun, log, signal });
  // what training changes is read once more, and stays as it is
  const compared =
    reference.source === 'adapter' || dryRun
      ? reference.model
      : await resolve(MODELS).load({ role: 'policy', purpose: 'inference', source, signal });
  const divergence = new Divergence(scorer, model, compared);
  runs.set(model, { divergence });
  try {
    const result = await trainer.fit({
      model,
      ...samples,
      signal,
      description: { ...loaded.description, reference: reference.what },
      objective: ktoObjective({ ...options, reference: reference.source }),
      dryRun,
    });
    return { result, exitCode: result.stoppedEarly && signal.aborted ? 130 : 0 };
  } finally {
    await divergence.dispose();
  }
}

/** Weighted, good answers should be 1 to 4/3 times the bad ones, or the reverse (KTO, section 4.2). */
const MOST_UNEQUAL = 4 / 3;

/** Counts the labels; warns where their weights leave one kind far behind. */
function checkLabels({ log, options }: Context, samples: Samples): void {
  let good = 0;
  for (let index = 0; index < samples.length; index++) {
    good += samples.get(index).columns?.['desirable'] ?? 0;
  }
  const bad = samples.length - good;
  if (good === 0 || bad === 0) throw oneLabel(bad === 0);
  const [ofGood, ofBad] = [good * options.desirableWeight, bad * options.undesirableWeight];
  log.info(`${good} good answers, ${bad} bad ones`);
  const ratio = Math.max(ofGood, ofBad) / Math.min(ofGood, ofBad);
  if (ratio <= MOST_UNEQUAL) return;
  const [key, weight] =
    good < bad
      ? (['desirableWeight', (options.undesirableWeight * bad) / good] as const)
      : (['undesirableWeight', (options.desirableWeight * good) / bad] as const);
  log.warn(
    `weighted, one kind of answers counts ${ratio.toFixed(2)} times the other (more than ` +
      `${MOST_UNEQUAL.toFixed(2)}): kto.${key}: ${weight.toPrecision(3)} makes them equal`,
  );
}

export default kto;
