// Going on from a checkpoint: which one, whether it fits the settings, and putting everything back.
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Engine, FitRequest, Hooks, Logger, OptimizerRow } from '@lmflow/sdk';
import type { Model, Parameter } from '@lmflow/sdk/model';
import {
  inspectCheckpoint,
  listCheckpoints,
  OPTIMIZER_FILE,
  parameterHashes,
  STATE_FILE,
  type OwnState,
} from './checkpoints.ts';
import { checkpointInvalid, resumeChanged, resumeIncomplete } from '../errors.ts';
import { CheckpointFolder } from './checkpoint-folder.ts';
import { samplingStrategy } from '../data/sampler.ts';
import type { RunSettings } from '../loop/run-plan.ts';
import type { RunState } from '../loop/run-state.ts';
import type { Updater } from '../update/updater.ts';

/**
 * What a resumed run compares: `exact` facts decide every bit of the result, `other` ones do not.
 */
export interface ResumeFacts {
  readonly exact: Readonly<Record<string, unknown>>;
  readonly other: Readonly<Record<string, unknown>>;
}

const EXACT = [
  'perDeviceTrainBatchSize',
  'gradientAccumulationSteps',
  'learningRate',
  'lrSchedulerType',
  'lrSchedulerKwargs',
  'optim',
  'optimArgs',
  'weightDecay',
  'adamBeta1',
  'adamBeta2',
  'adamEpsilon',
  'maxGradNorm',
  'dataloaderDropLast',
  'padToMultipleOf',
  'paddingFree',
] as const;

/** Options that say how to resume, and those that `exactFacts` has in another form. */
const NOT_COMPARED = new Set([
  'resumeFromCheckpoint',
  'allowConfigChange',
  'overwriteOutputDir',
  'runName',
  'reportTo',
  'dataSeed',
  'numTrainEpochs',
  'maxSteps',
  'warmupSteps',
  'warmupRatio',
  'trainSamplingStrategy',
  'groupByLength',
  ...EXACT,
]);

/** The facts of this run. */
export function resumeFacts(
  { model, train, objective, description }: FitRequest,
  settings: RunSettings,
  engine: Engine,
  base: string,
): ResumeFacts {
  const { options, seed, totalSteps, warmupSteps } = settings;
  const ofParameters = (say: (parameter: Parameter) => string): string =>
    digest([...model.parameters.values()].map(say).join(), 16);
  const scales = new Set(
    [...model.parameters.values()].map(({ learningRateScale = 1 }) => learningRateScale),
  );
  const { base_model_name_or_path: _source, ...adapter } = model.adapter?.save().config ?? {};
  return asJson({
    exact: {
      seed,
      totalSteps,
      warmupSteps,
      ...Object.fromEntries(EXACT.map((name) => [name, options[name]])),
      dataSeed: options.dataSeed ?? seed,
      trainSamplingStrategy: samplingStrategy(options),
      trainSamples: `${train.length} (${train.fingerprint})`,
      base,
      parameters: `${model.parameters.size} (${ofParameters(({ name, shape }) => `${name}[${shape.join()}]`)})`,
      ...(scales.size > 1 || !scales.has(1)
        ? {
            learningRateScales: `${[...scales].join(', ')} (${ofParameters(({ learningRateScale = 1 }) => String(learningRateScale))})`,
          }
        : {}),
      ...Object.fromEntries(
        model.claims.map(({ plugin, how, linears }) => [
          `linears ${how} by ${plugin}`,
          `${linears.length} (${digest(linears.join(), 8)})`,
        ]),
      ),
      objective: objective.name,
      ...Object.fromEntries(
        Object.entries(adapter).map(([key, value]) => [`adapter.${key}`, value]),
      ),
    },
    other: {
      model: model.source,
      engine: `${engine.name}/${engine.device}`,
      ...Object.fromEntries(Object.entries(options).filter(([name]) => !NOT_COMPARED.has(name))),
      ...Object.fromEntries(
        Object.entries(description ?? {}).map(([key, value]) => [`description.${key}`, value]),
      ),
    },
  });
}

const digest = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);
const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** `learningRate: 0.0001 -> 0.001` for each key that differs. */
function changesOf(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): string[] {
  const shown = (value: unknown): string => {
    const text = value === undefined ? 'not set' : JSON.stringify(value);
    return text.length > 60 ? `${text.slice(0, 57)}...` : text;
  };
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
    .map((key) => `${key}: ${shown(before[key])} -> ${shown(now[key])}`);
}

export interface FoundCheckpoint {
  readonly folder: string;
  readonly own: OwnState;
}

/**
 * The checkpoint that `resumeFromCheckpoint` names, or the last whole one in outputDir; damaged
 * ones are skipped with a warning. Undefined where there is none yet. Throws
 * LMFLOW_CHECKPOINT_INVALID where a named one is not whole.
 */
export async function findCheckpoint(
  { options, outputDir }: RunSettings,
  log: Logger,
): Promise<FoundCheckpoint | undefined> {
  const wanted = options.resumeFromCheckpoint;
  if (wanted === false) return undefined;
  if (typeof wanted === 'string') {
    const found = await usable(wanted);
    if ('fault' in found) throw checkpointInvalid(wanted, found.fault);
    return { folder: wanted, own: found.own };
  }
  for (const { folder } of await listCheckpoints(outputDir)) {
    const found = await usable(folder);
    if ('own' in found) return { folder, own: found.own };
    log.warn(`${folder} is skipped: ${found.fault}`);
  }
  return undefined;
}

async function usable(folder: string): ReturnType<typeof inspectCheckpoint> {
  const found = await inspectCheckpoint(folder);
  return 'own' in found && !(OPTIMIZER_FILE in found.own.files)
    ? { fault: 'it was saved with saveOnlyModel, without the optimizer' }
    : found;
}

/**
 * Throws LMFLOW_RESUME_CHANGED for changes that break exactness, unless they are allowed and the
 * parameters are the checkpoint's; tells the others.
 */
export function compareFacts(
  { folder, own }: FoundCheckpoint,
  facts: ResumeFacts,
  { options }: RunSettings,
  log: Logger,
): void {
  const exact = changesOf(own.facts.exact, facts.exact);
  const other = changesOf(own.facts.other, facts.other);
  const fits = own.facts.exact['parameters'] === facts.exact['parameters'];
  if (exact.length > 0 && !(fits && options.allowConfigChange)) {
    throw resumeChanged(folder, exact, fits);
  }
  for (const change of exact) log.warn(`changed since ${folder} (allowed): ${change}`);
  for (const change of other) log.warn(`changed since ${folder}: ${change}`);
}

export interface RestoreRequest {
  readonly hooks: Hooks;
  readonly model: Model;
  readonly state: RunState;
  readonly updater: Updater;
  readonly settings: RunSettings;
  readonly optimizers: ReadonlyMap<string, OptimizerRow>;
  readonly log: Logger;
}

/** Puts weights, optimizer and counters back. Throws LMFLOW_RESUME_INCOMPLETE. */
export async function restoreRun(
  { folder, own }: FoundCheckpoint,
  { hooks, model, state, updater, settings, optimizers, log }: RestoreRequest,
): Promise<void> {
  await restoreModel(folder, own, hooks, model);
  const checkpoint = new CheckpointFolder('checkpoint', folder, own.step, model);
  const saved = await checkpoint.readTensors(OPTIMIZER_FILE);
  const { exact } = own.facts;
  const { optim, optimArgs } = settings.options;
  if (optimizers.get(String(exact['optim'])) === optimizers.get(optim)) {
    const missing = updater.restore(model.parameters.values(), saved ?? new Map());
    if (missing.length > 0) {
      if (JSON.stringify(exact['optimArgs']) === JSON.stringify(optimArgs)) {
        throw resumeIncomplete(
          folder,
          `the optimizer's state lacks ${some(missing)}`,
          'Resume from an earlier checkpoint.',
        );
      }
      updater.reset();
      log.warn(
        `the state of ${optim} starts anew: with these optimArgs it has ${some(missing)}, which the checkpoint lacks`,
      );
    }
  } else {
    log.warn(
      `the state of ${optim} starts anew: that of ${String(exact['optim'])} in the checkpoint is another optimizer's`,
    );
  }
  state.restore((await checkpoint.readJson(STATE_FILE)) as Record<string, unknown>, own);
}

/**
 * Lets the plugins put their parameters back, and checks that every one has the numbers it was
 * saved with.
 */
export async function restoreModel(
  folder: string,
  own: OwnState,
  hooks: Hooks,
  model: Model,
): Promise<void> {
  await hooks.onRestore.promise(new CheckpointFolder('checkpoint', folder, own.step, model));
  const now = parameterHashes(model);
  const wrong = Object.keys(now).filter((name) => own.parameters[name] !== now[name]);
  if (wrong.length > 0) {
    throw resumeIncomplete(
      folder,
      `${wrong.length} of ${model.parameters.size} parameters did not come back as they were saved: ${some(wrong)}`,
    );
  }
}

function some(names: readonly string[]): string {
  return names.length > 3
    ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
    : names.join(', ');
}

/**
 * Puts the best model's parameters back, also where the output folder was moved. Throws
 * LMFLOW_CHECKPOINT_INVALID.
 */
export async function restoreBest(
  { outputDir }: RunSettings,
  { bestModelCheckpoint }: RunState,
  hooks: Hooks,
  model: Model,
): Promise<string> {
  const candidates = [bestModelCheckpoint!, join(outputDir, basename(bestModelCheckpoint!))];
  let fault = '';
  for (const folder of candidates) {
    const found = await inspectCheckpoint(folder);
    if ('fault' in found) {
      fault ||= found.fault;
      continue;
    }
    await restoreModel(folder, found.own, hooks, model);
    return folder;
  }
  throw checkpointInvalid(bestModelCheckpoint!, fault);
}
