// The settings that decide the result of a run, and their comparison with a checkpoint's. Restoring
// the state is in resume.ts.
import { createHash } from 'node:crypto';
import type { Engine, Logger, OpenRequest } from '@lmflow/sdk';
import type { Parameter } from '@lmflow/sdk/model';
import { samplingStrategy } from '../data/sampler.ts';
import { resumeChanged } from '../errors.ts';
import type { RunPlan } from '../loop/run-plan.ts';

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

/** Options about resuming itself, and options that are compared in another form. */
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
  { model, data, objective, description }: OpenRequest,
  plan: RunPlan,
  engine: Engine,
  base: string,
): ResumeFacts {
  const { options, seed, totalSteps, warmupSteps } = plan;
  const ofParameters = (describe: (parameter: Parameter) => string): string =>
    digest([...model.parameters.values()].map(describe).join(), 16);
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
      trainSamples: `${data.samples} (${data.fingerprint})`,
      base,
      parameters: `${model.parameters.size} (${ofParameters(({ name, shape }) => `${name}[${shape.join()}]`)})`,
      ...(scales.size > 1 || !scales.has(1)
        ? {
            learningRateScales:
              `${[...scales].join(', ')} ` +
              `(${ofParameters(({ learningRateScale = 1 }) => String(learningRateScale))})`,
          }
        : {}),
      ...ownRates([...model.parameters.values()]),
      ...Object.fromEntries(
        model.claims.map(({ plugin, how, linears }) => [
          `linears ${how} by ${plugin}`,
          `${linears.length} (${digest(linears.join(), 8)})`,
        ]),
      ),
      objective: objective.name,
      ...prefixed('objective', objective.options),
      ...prefixed('adapter', adapter),
    },
    other: {
      model: model.source,
      engine: `${engine.name}/${engine.device}`,
      ...Object.fromEntries(Object.entries(options).filter(([name]) => !NOT_COMPARED.has(name))),
      ...prefixed('description', description),
    },
  });
}

/** Learning rates that parameters have in place of the run's. */
function ownRates(parameters: readonly Parameter[]): Record<string, string> {
  const own = parameters.filter(({ learningRate }) => learningRate !== undefined);
  if (own.length === 0) return {};
  const rates = [...new Set(own.map(({ learningRate }) => learningRate))];
  const text = own.map(({ name, learningRate }) => `${name} ${learningRate}`).join();
  return { learningRates: `${rates.join(', ')} (${digest(text, 16)})` };
}

const prefixed = (prefix: string, facts: object = {}): Record<string, unknown> =>
  Object.fromEntries(Object.entries(facts).map(([key, value]) => [`${prefix}.${key}`, value]));
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

/**
 * Throws LMFLOW_RESUME_CHANGED for changes of exact facts, unless they are allowed and the
 * parameters are the checkpoint's; logs other changes.
 */
export function compareFacts(
  { folder, facts: before }: { readonly folder: string; readonly facts: ResumeFacts },
  facts: ResumeFacts,
  { options }: RunPlan,
  log: Logger,
): void {
  const exact = changesOf(before.exact, facts.exact);
  const other = changesOf(before.other, facts.other);
  const fits = before.exact['parameters'] === facts.exact['parameters'];
  if (exact.length > 0 && !(fits && options.allowConfigChange)) {
    throw resumeChanged(folder, exact, fits);
  }
  for (const change of exact) log.warn(`changed since ${folder} (allowed): ${change}`);
  for (const change of other) log.warn(`changed since ${folder}: ${change}`);
}
