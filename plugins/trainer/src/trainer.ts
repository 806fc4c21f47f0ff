// The trainer service: plans, checks and opens runs, and runs one from its first step to its last.
// The steps are in loop/.
import {
  sequencesOf,
  type Config,
  type Engine,
  type EvaluationRow,
  type FitRequest,
  type FitResult,
  type Hooks,
  type Logger,
  type OpenRequest,
  type OptimizerRow,
  type Rows,
  type Samples,
  type Schedule,
  type Trainer,
  type TrainingData,
} from '@lmflow/sdk';
import { baseFingerprint } from './checkpoint/base-model-fingerprint.ts';
import { describeOutput } from './checkpoint/output-folder.ts';
import { compareFacts, resumeFacts } from './checkpoint/resume-facts.ts';
import { findCheckpoint, originOf, type FoundCheckpoint } from './checkpoint/resume.ts';
import { lengthCap, type CollateOptions } from './data/collate.ts';
import { largestBatches } from './data/largest-batches.ts';
import { dataOrder, type DataOrder } from './data/sampler.ts';
import { evaluationAborted, nothingToTrain, objectiveUnsampled } from './errors.ts';
import { evaluateSamples } from './loop/evaluation.ts';
import { availableBytes } from './loop/memory.ts';
import { OpenRun } from './loop/open-run.ts';
import { Programs } from './loop/programs.ts';
import { makeRunPlan, type RunPlan } from './loop/run-plan.ts';
import { RunState } from './loop/run-state.ts';
import type { Run } from './loop/run.ts';
import type { TrainerOptions } from './options.ts';
import { forecastRun } from './report/forecast.ts';
import { printPlan } from './report/plan-table.ts';
import { Reporter } from './report/reporter.ts';
import { GradientNorm } from './update/gradient-norm.ts';
import { chosenOptimizer } from './update/optimizer-arguments.ts';
import { Updater } from './update/updater.ts';

/** The default of outputDir, as in transformers. */
const DEFAULT_OUTPUT = 'trainer_output';
const DEFAULT_SEED = 42;
/** Share of the available memory for the activations of compiled programs; one may need more. */
const PROGRAM_SHARE = 0.25;

export interface TrainerSetup {
  readonly options: TrainerOptions;
  readonly config: Config;
  readonly hooks: Hooks;
  readonly log: Logger;
  readonly engine: Engine;
  readonly optimizers: ReadonlyMap<string, OptimizerRow>;
  readonly schedules: Rows<Schedule>;
  readonly evaluations: Rows<EvaluationRow>;
  /** Of this plugin, for the model card. */
  readonly version: string;
}

export class LoopTrainer implements Trainer {
  readonly #setup: TrainerSetup;

  constructor(setup: TrainerSetup) {
    this.#setup = setup;
  }

  async fit({ train, ...request }: FitRequest): Promise<FitResult> {
    if (request.model.parameters.size === 0) throw nothingToTrain();
    const { options, log } = this.#setup;
    const found = await findCheckpoint({ options, outputDir: this.#outputDir }, log);
    const origin = found && (await originOf(found, train.length));
    const order = dataOrder(train, options, this.#seed, origin);
    const data = this.#dataOf(request, train, order);
    const run = await this.#open({ ...request, data }, found);
    try {
      while (run.end === undefined) {
        const microBatches = order.microBatches(run.steps + 1);
        await run.step(
          microBatches.map((indices) => indices.flatMap((index) => sequencesOf(train, index))),
        );
      }
      return await run.close();
    } finally {
      await run.dispose();
    }
  }

  async open(request: OpenRequest): Promise<OpenRun> {
    const { options, log } = this.#setup;
    const found = await findCheckpoint({ options, outputDir: this.#outputDir }, log);
    return await this.#open(request, found);
  }

  async #open(request: OpenRequest, found: FoundCheckpoint | undefined): Promise<OpenRun> {
    const { engine, optimizers, version } = this.#setup;
    const run = await this.#prepare(request, found);
    const open = new OpenRun(run, {
      optimizers,
      version,
      engine: `${engine.name} on ${engine.device}`,
    });
    if (request.dryRun) return open;
    try {
      await open.begin(found);
      return open;
    } catch (error) {
      await open.dispose();
      throw error;
    }
  }

  async evaluate({
    model,
    samples,
    objective,
    signal,
  }: Parameters<Trainer['evaluate']>[0]): Promise<Record<string, number>> {
    const { options, hooks, log, engine } = this.#setup;
    const { perDeviceEvalBatchSize: batchSize } = options;
    const programs = new Programs({
      engine,
      model,
      objective,
      seed: this.#seed,
      budget: PROGRAM_SHARE * availableBytes(),
    });
    const collating = this.#collating({ model, objective }, [samples]);
    try {
      const result = await evaluateSamples({
        programs,
        hooks,
        model,
        samples,
        objective,
        batchSize,
        collating,
        signal,
        step: { number: 0, totalSteps: 0, epoch: 0 },
        progress: (done) => {
          log.progress(`evaluating  ${done}/${samples.length}`);
        },
      });
      if (!result) throw evaluationAborted();
      const { metrics, seconds } = result;
      await hooks.onEvaluate.promise({ step: 0, epoch: 0, metrics, seconds });
      return metrics;
    } finally {
      await programs.dispose();
    }
  }

  get #seed(): number {
    return this.#setup.config.seed ?? DEFAULT_SEED;
  }

  get #outputDir(): string {
    return this.#setup.config.outputDir ?? DEFAULT_OUTPUT;
  }

  #collating(
    { model, objective }: Pick<OpenRequest, 'model' | 'objective'>,
    sets: readonly (Pick<Samples, 'length' | 'lengthOf'> | undefined)[],
  ): CollateOptions {
    const { padToMultipleOf: multipleOf, paddingFree } = this.#setup.options;
    return {
      multipleOf,
      cap: lengthCap(sets, multipleOf, model.architecture.maxPositions),
      join: paddingFree && objective.perToken === true,
    };
  }

  /** Describes training data whose samples are all known before the run. */
  #dataOf(
    request: Pick<OpenRequest, 'model' | 'objective' | 'evaluation'>,
    train: Samples,
    order: DataOrder,
  ): TrainingData {
    const { perDeviceTrainBatchSize: size, gradientAccumulationSteps } = this.#setup.options;
    const { stepsPerEpoch, samplesPerEpoch } = order;
    const meanLength = train.statistics.tokens / Math.max(1, train.length);
    return {
      samples: train.length,
      fingerprint: train.fingerprint,
      stepsPerEpoch,
      epochAfter: (step) => order.epochAfter(step),
      stepsUntil: (epochs) => order.stepsUntil(epochs),
      sequencesPerStep: Math.min(size * gradientAccumulationSteps, samplesPerEpoch),
      tokensPerStep: (meanLength * samplesPerEpoch) / stepsPerEpoch,
      largest: largestBatches(train, size, this.#collating(request, [train, request.evaluation])),
    };
  }

  /**
   * Makes the plan, compares the settings with the checkpoint's, prints the plan; writes no files.
   */
  async #prepare(request: OpenRequest, found: FoundCheckpoint | undefined): Promise<Run> {
    const { options, hooks, log, engine, optimizers } = this.#setup;
    const { model, objective, evaluation, data } = request;
    if (model.parameters.size === 0) throw nothingToTrain();
    const evaluations = [...this.#setup.evaluations].filter((row) => row.wanted());
    const plan = this.#plan(request, evaluations.length > 0);
    const updater = new Updater(chosenOptimizer(optimizers, options), engine, options);
    if (updater.estimatesAt(1) && !objective.buildSampled) {
      throw objectiveUnsampled(options.optim, objective.name);
    }
    const facts = resumeFacts(request, plan, engine, await baseFingerprint(model));
    if (found) compareFacts({ folder: found.folder, facts: found.own.facts }, facts, plan, log);
    const longest = data.largest.flat();
    const lengthOf = (index: number): number => longest[index]!.inputIds.length;
    const collating = this.#collating(request, [{ length: longest.length, lengthOf }, evaluation]);
    const forecast = await forecastRun({ request, plan, updater, collating, hooks });
    const output = await describeOutput(plan, found);
    printPlan({ request, plan, forecast, output }, log);
    const state = new RunState();
    for (const row of evaluations) await row.prepare(request.signal);
    const run: Run = {
      request,
      plan,
      evaluations,
      forecast,
      facts,
      collating,
      hooks,
      log,
      updater,
      state,
      checkpoint: undefined,
      savedStep: 0,
      evaluated: undefined,
      end: request.dryRun ? 'planned' : undefined,
      programs: new Programs({
        engine,
        model,
        objective,
        seed: plan.seed,
        budget: PROGRAM_SHARE * forecast.memory.available,
      }),
      norm: new GradientNorm(engine),
      reporter: new Reporter({ plan, state, hooks, log, objective }),
    };
    return run;
  }

  #plan({ data, evaluation }: OpenRequest, evaluatesMore: boolean): RunPlan {
    const { options, schedules } = this.#setup;
    return makeRunPlan({
      options,
      outputDir: this.#outputDir,
      seed: this.#seed,
      data,
      evaluates: evaluatesMore || (evaluation?.length ?? 0) > 0,
      schedules,
    });
  }
}
