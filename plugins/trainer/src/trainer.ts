// The trainer: prepares a run, plans it, resumes it, trains, and writes what comes out. The steps
// themselves are in loop/.
import type {
  Config,
  Engine,
  FitRequest,
  FitResult,
  Hooks,
  Logger,
  OptimizerRow,
  Rows,
  Samples,
  Schedule,
  Trainer,
} from '@lmflow/sdk';
import { baseFingerprint } from './checkpoint/base-model-fingerprint.ts';
import { lengthCap, type CollateOptions } from './data/collate.ts';
import { evaluationAborted, nothingToTrain, objectiveUnsampled } from './errors.ts';
import { evaluateSamples } from './loop/evaluation.ts';
import { evaluateRun, trainingLoop, type LoopEnd, type Run } from './loop/loop.ts';
import { availableBytes } from './loop/memory.ts';
import { GradientNorm } from './update/gradient-norm.ts';
import { chosenOptimizer } from './update/optimizer-arguments.ts';
import type { TrainerOptions } from './options.ts';
import { dataOrder } from './data/sampler.ts';
import { describeOutput, prepareOutput, writeResults } from './report/results.ts';
import { makePlan, tellPlan, type Plan } from './report/forecast.ts';
import { Programs } from './loop/programs.ts';
import { Reporter } from './report/reporter.ts';
import {
  compareFacts,
  findCheckpoint,
  restoreBest,
  restoreRun,
  resumeFacts,
  type FoundCheckpoint,
} from './checkpoint/resume.ts';
import { decideSettings } from './loop/run-plan.ts';
import { RunState } from './loop/run-state.ts';
import { Updater } from './update/updater.ts';

/** Where results go unless outputDir is set: transformers' default. */
const DEFAULT_OUTPUT = 'trainer_output';
const DEFAULT_SEED = 42;
/**
 * Part of the available memory that compiled programs may hold for their activations, unless a
 * single one needs more.
 */
const PROGRAM_SHARE = 0.25;

export interface TrainerSetup {
  readonly options: TrainerOptions;
  readonly config: Config;
  readonly hooks: Hooks;
  readonly log: Logger;
  readonly engine: Engine;
  readonly optimizers: ReadonlyMap<string, OptimizerRow>;
  readonly schedules: Rows<Schedule>;
  /** Of this plugin, for the model card. */
  readonly version: string;
}

export class LoopTrainer implements Trainer {
  readonly #setup: TrainerSetup;

  constructor(setup: TrainerSetup) {
    this.#setup = setup;
  }

  async fit(request: FitRequest): Promise<FitResult> {
    const { log } = this.#setup;
    const { run, plan, found } = await this.#prepare(request);
    try {
      if (request.dryRun) return resultOf(run, 'stopped');
      await this.#begin(run, found);
      const end = await trainingLoop(run);
      if (end === 'interrupted') {
        log.info(
          run.checkpoint === undefined
            ? 'stopped before the first step'
            : `stopped after step ${run.state.globalStep}; go on with --resume-from-checkpoint`,
        );
        return resultOf(run, end);
      }
      await this.#finish(run, plan);
      return resultOf(run, end);
    } finally {
      await run.programs.dispose();
      await run.norm.dispose();
      await run.updater.dispose();
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
      await hooks.onEvaluate.promise({
        step: 0,
        epoch: 0,
        metrics: result.metrics,
        seconds: result.seconds,
      });
      return result.metrics;
    } finally {
      await programs.dispose();
    }
  }

  #collating(
    { model, objective }: Pick<FitRequest, 'model' | 'objective'>,
    sets: readonly (Samples | undefined)[],
  ): CollateOptions {
    const { padToMultipleOf: multipleOf, paddingFree } = this.#setup.options;
    return {
      multipleOf,
      cap: lengthCap(sets, multipleOf, model.architecture.maxPositions),
      join: paddingFree && objective.perToken === true,
    };
  }

  get #seed(): number {
    return this.#setup.config.seed ?? DEFAULT_SEED;
  }

  /**
   * Decides everything, finds the checkpoint to resume from and whether it fits, prints the plan;
   * writes nothing.
   */
  async #prepare(request: FitRequest): Promise<{
    readonly run: Run;
    readonly plan: Plan;
    readonly found: FoundCheckpoint | undefined;
  }> {
    const { options, config, hooks, log, engine, optimizers, schedules } = this.#setup;
    const { model, train, evaluation, objective } = request;
    if (model.parameters.size === 0) throw nothingToTrain();
    const seed = this.#seed;
    const order = dataOrder(train, options, seed);
    const settings = decideSettings({
      options,
      outputDir: config.outputDir ?? DEFAULT_OUTPUT,
      seed,
      order,
      evaluation,
      schedules,
    });
    const updater = new Updater(chosenOptimizer(optimizers, options), engine, options);
    if (updater.estimatesAt(1) && !objective.buildSampled) {
      throw objectiveUnsampled(options.optim, objective.name);
    }
    const facts = resumeFacts(request, settings, engine, await baseFingerprint(model));
    const found = await findCheckpoint(settings, log);
    if (found) compareFacts(found, facts, settings, log);
    const collating = this.#collating(request, [train, evaluation]);
    const planned = { request, settings, order, updater, collating, hooks };
    const plan = await makePlan(planned);
    tellPlan(plan, planned, await describeOutput(settings, found), log);
    const state = new RunState();
    const run: Run = {
      request,
      settings,
      order,
      facts,
      collating,
      hooks,
      log,
      updater,
      state,
      checkpoint: undefined,
      savedStep: 0,
      evaluated: undefined,
      programs: new Programs({
        engine,
        model,
        objective,
        seed,
        budget: PROGRAM_SHARE * plan.memory.available,
      }),
      norm: new GradientNorm(engine),
      reporter: new Reporter(settings, state, hooks, log),
      totalParameters: plan.totalParameters,
    };
    return { run, plan, found };
  }

  /** Makes the output folder ready and resumes where that was asked for. */
  async #begin(run: Run, found: FoundCheckpoint | undefined): Promise<void> {
    const { settings, log, state, reporter } = run;
    await prepareOutput(settings, run.request.model, found, log);
    if (found) {
      await restoreRun(found, {
        ...run,
        model: run.request.model,
        optimizers: this.#setup.optimizers,
      });
      run.programs.parametersChanged();
      run.checkpoint = found.folder;
      run.savedStep = state.globalStep;
      log.info(
        `resumed from ${found.folder}: step ${state.globalStep} of ${settings.totalSteps} is done`,
      );
    } else if (settings.options.resumeFromCheckpoint !== false) {
      log.info(`no checkpoint in ${settings.outputDir} yet: starting with the first step`);
    }
    await reporter.begin();
  }

  /** Best model, last evaluation, final files. */
  async #finish(run: Run, plan: Plan): Promise<void> {
    const { request, settings, state, hooks, log } = run;
    const { engine, version } = this.#setup;
    run.updater.keepEvaluationWeights(request.model.parameters.values(), () => {
      run.programs.parametersChanged();
    });
    if (
      settings.options.loadBestModelAtEnd &&
      state.bestModelCheckpoint !== undefined &&
      state.bestGlobalStep !== state.globalStep
    ) {
      const folder = await restoreBest(settings, state, hooks, request.model);
      run.programs.parametersChanged();
      run.evaluated = undefined;
      log.info(`the best model is ${folder} (${settings.bestMetric} ${state.bestMetric})`);
    }
    if (run.evaluated === undefined) await evaluateRun(run);
    await writeResults({
      request,
      settings,
      state,
      plan,
      hooks,
      version,
      engine: `${engine.name} on ${engine.device}`,
      evaluation: run.evaluated,
    });
    const values = {
      trainLoss: state.trainLoss,
      seconds: state.seconds,
      ...Object.fromEntries(
        Object.entries(run.evaluated?.metrics ?? {}).map(([name, value]) => [
          `eval_${name}`,
          value,
        ]),
      ),
    };
    hooks.onMetrics.call({ kind: 'final', step: state.globalStep, values });
    log.event(
      'done',
      { steps: state.globalStep, outputDir: settings.outputDir, ...values },
      `done: ${state.globalStep} steps, training loss ${state.trainLoss.toPrecision(4)}; results are in ${settings.outputDir}`,
    );
  }
}

function resultOf({ state, settings, evaluated }: Run, end: LoopEnd): FitResult {
  return {
    steps: state.globalStep,
    trainLoss: state.trainLoss,
    outputDir: settings.outputDir,
    stoppedEarly: end !== 'finished',
    log: state.logHistory,
    ...(evaluated ? { evaluation: evaluated.metrics } : {}),
  };
}
