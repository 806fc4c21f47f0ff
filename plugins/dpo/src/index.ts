// `lmflow dpo`: a model learns to prefer the chosen answers of pairs. What is trained (an adapter, or
// all weights) other plugins decide, as for `lmflow finetune`.
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
  type Step,
  type TrainingFlags,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { marginMissing, settingMissing, withoutEffect } from './errors.ts';
import { firstLossOff, lossAtStart } from './first-step.ts';
import { PAIRS_PER_TOKEN, pairObjective } from './objective.ts';
import { aliases, dpoOptions, unsupported, type DpoOptions } from './options.ts';
import { referenceOf, withReference, type ScoringRequest, type Splits } from './reference.ts';
import { beginsWithScores, pairedDataset } from './scored-pairs.ts';
import { lossSettings, type LossSettings } from './settings.ts';
import { chosenTokens, pairsPerToken } from './token-mean.ts';
import manifest from '../package.json' with { type: 'json' };

export { dpoOptions, type DpoOptions } from './options.ts';
export {
  referenceOf,
  withReference,
  type Reference,
  type ScoringRequest,
  type Splits,
} from './reference.ts';
export { referenceSums, type ReferenceSource } from './reference-sums.ts';

const name = '@lmflow/plugin-dpo';

declare module '@lmflow/sdk' {
  interface CommandResults {
    dpo: FitResult;
  }
}

/** What people set, for the help. */
const MOST_SET = [
  'model',
  'dataset',
  'evalDataset',
  'outputDir',
  'dpo.beta',
  'dpo.lossType',
  'dpo.labelSmoothing',
  'dpo.rpoAlpha',
  'numTrainEpochs',
  'maxSteps',
  'perDeviceTrainBatchSize',
  'gradientAccumulationSteps',
  'learningRate',
  'blockSize',
  'lora.r',
  'lora.adapter',
  'evalStrategy',
  'loggingSteps',
  'resumeFromCheckpoint',
  'overwriteOutputDir',
  'seed',
  'dpo',
] as const;

type Context = PluginContext<DpoOptions>;

/** What taps know of a model that this command trains. */
interface PairRun {
  readonly settings: LossSettings;
  /** The first loss, where policy and reference have to agree then. */
  readonly expected: number | undefined;
  /** Tokens of all chosen answers of the evaluation data, and pairs. */
  readonly evaluation: { readonly pairs: number; readonly tokens: number } | undefined;
}

const dpo = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: [
    '@lmflow/plugin-models',
    '@lmflow/plugin-datasets',
    '@lmflow/plugin-trainer',
    '@lmflow/plugin-scoring',
  ],
  options: { section: 'dpo', schema: dpoOptions, aliases, unsupported },
  apply(context) {
    const { hooks, log } = context;
    const runs = new WeakMap<Model, PairRun>();
    let reading = false;

    hooks.onDataset.tap(async (dataset) => {
      if (!reading) return undefined;
      const { samplingPairedMethod, lengthPenalty, marginScale } = context.options;
      if (!(await beginsWithScores(dataset))) {
        const given = Object.entries({ samplingPairedMethod, lengthPenalty, marginScale });
        const idle = given.find(([, value]) => value !== undefined);
        if (idle) throw withoutEffect(idle[0], `${dataset.name} has no lists with scores`);
        return undefined;
      }
      return pairedDataset(dataset, {
        method: samplingPairedMethod ?? 'max_min',
        lengthPenalty: lengthPenalty ?? 0,
        marginScale: marginScale ?? 1,
        seed: context.config.seed ?? 42,
      });
    });

    hooks.onBatch.tap((batch, step) => {
      const run = runs.get(step.model);
      return run && run.settings.sft !== 0 ? withTokenMean(batch, step, run) : undefined;
    });

    hooks.onStep.tap((step) => {
      const expected = runs.get(step.model)?.expected;
      if (step.number !== 1 || expected === undefined) return;
      const off = firstLossOff(step.loss!, expected);
      if (off !== undefined) log.warn(off);
    });

    context.command({
      name: 'dpo',
      summary: 'Trains a model to prefer the chosen answers of pairs: DPO and its relatives.',
      options: trainingFlags,
      sections: MOST_SET,
      examples: [
        'lmflow dpo --preset dpo --model org/model --dataset pairs.json --output-dir out',
        'lmflow dpo --preset dpo --dpo-loss-type simpo --dpo-beta 2 --model org/model --dataset pairs.json',
      ],
      run: (invocation) => {
        reading = true;
        return train(context, runs, invocation);
      },
    });
  },
});

async function train(
  context: Context,
  runs: WeakMap<Model, PairRun>,
  { config, options: { dryRun }, signal }: CommandInvocation<TrainingFlags>,
): Promise<{ readonly result: FitResult; readonly exitCode: number }> {
  const { options, resolve, log } = context;
  const settings = lossSettings(options);
  if (config.model === undefined) throw settingMissing('model', 'meta-llama/Llama-3.2-1B');
  if (config.dataset === undefined) throw settingMissing('dataset', 'pairs.json');
  // first, because it checks its options
  const trainer = resolve(TRAINER);
  const model = await resolve(MODELS).load({
    role: 'policy',
    purpose: 'training',
    source: config.model,
    signal,
  });
  const loaded = await resolve(SAMPLES).load({
    tokenizer: model.tokenizer,
    maxPositions: model.architecture.maxPositions,
    preferences: 'pairs',
    signal,
  });
  if (settings.losses.some(({ loss }) => loss.margin)) checkMargins(loaded);
  const compares = settings.losses.some(({ loss }) => loss.reference) && !options.referenceFree;
  const reference = compares
    ? referenceOf(model, { precompute: options.precomputeRefLogProbs, config })
    : undefined;
  const computing = { scorer: resolve(SCORER), dryRun, log, signal };
  const samples = reference
    ? await withTimedReference(loaded, { reference, ...computing })
    : loaded;
  if (reference) log.info(`reference: ${reference.what}`);
  runs.set(model, {
    settings,
    expected: reference ? lossAtStart(settings) : undefined,
    evaluation:
      settings.sft !== 0 && samples.evaluation ? chosenTokens(samples.evaluation) : undefined,
  });
  const result = await trainer.fit({
    model,
    ...samples,
    signal,
    description: { ...loaded.description, reference: reference?.what ?? 'none' },
    objective: pairObjective({
      ...settings,
      reference: reference?.source ?? 'none',
      disableDropout: options.disableDropout,
    }),
    dryRun,
  });
  return { result, exitCode: result.stoppedEarly && signal.aborted ? 130 : 0 };
}

function checkMargins({ train: samples, evaluation }: Splits): void {
  for (const split of [samples, ...(evaluation ? [evaluation] : [])]) {
    if (split.group?.get(0)[0]?.columns?.['margin'] === undefined) throw marginMissing();
  }
}

/** As withReference, and says how long it took. */
async function withTimedReference(loaded: Splits, request: ScoringRequest): Promise<Splits> {
  const started = performance.now();
  const splits = await withReference(loaded, request);
  if (request.reference.source === 'column' && !request.dryRun) {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    request.log.info(`log-probabilities of the reference computed in ${seconds} s`);
  }
  return splits;
}

/** The batch with what makes sft a mean over the tokens of the whole step, or of the data. */
function withTokenMean(batch: Batch, { mode, batches }: Step, { evaluation }: PairRun): Batch {
  const scale =
    mode === 'evaluation' && evaluation
      ? evaluation.pairs / evaluation.tokens
      : pairsPerToken(batches);
  return withNumber(batch, PAIRS_PER_TOKEN, scale);
}

export default dpo;
