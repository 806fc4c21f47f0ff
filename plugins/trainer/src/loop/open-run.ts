// An open run: its owner can begin it, step through it and close it. A step is in loop.ts.
import type { FitResult, MicroBatch, OptimizerRow, RunEnd, Step, TrainingRun } from '@lmflow/sdk';
import type { OutputLock } from '../checkpoint/output-lock.ts';
import { prepareOutput } from '../checkpoint/output-folder.ts';
import { restoreBest, restoreRun, type FoundCheckpoint } from '../checkpoint/resume.ts';
import { checkUsable } from '../checkpoint/usable-parameters.ts';
import { writeResults } from '../report/results.ts';
import { trainingStep } from './loop.ts';
import type { Run } from './run.ts';
import { evaluateFirst, evaluateRun, isOutOfPatience } from './run-evaluation.ts';
import { saveRun } from './run-saving.ts';

/** What only the beginning and the end of a run need. */
export interface OpenRunSetup {
  readonly optimizers: ReadonlyMap<string, OptimizerRow>;
  /** For the model card: the engine with its device, and the version of this plugin. */
  readonly engine: string;
  readonly version: string;
}

export class OpenRun implements TrainingRun {
  readonly #run: Run;
  readonly #setup: OpenRunSetup;
  #lock: OutputLock | undefined;

  constructor(run: Run, setup: OpenRunSetup) {
    this.#run = run;
    this.#setup = setup;
  }

  get steps(): number {
    return this.#run.state.globalStep;
  }

  get totalSteps(): number {
    return this.#run.plan.totalSteps;
  }

  get end(): RunEnd | undefined {
    return this.#run.end;
  }

  /** Prepares the output folder, resumes if asked for, and evaluates if due. */
  async begin(found: FoundCheckpoint | undefined): Promise<void> {
    const run = this.#run;
    const { request, plan, log, state, reporter, programs } = run;
    this.#lock = await prepareOutput(plan, request.model, found, log);
    if (found) {
      const { optimizers } = this.#setup;
      await restoreRun(found, { ...run, model: request.model, optimizers });
      programs.parametersChanged();
      run.checkpoint = found.folder;
      run.savedStep = state.globalStep;
      log.info(
        `resumed from ${found.folder}: step ${state.globalStep} of ${plan.totalSteps} is done`,
      );
    } else if (plan.options.resumeFromCheckpoint !== false) {
      log.info(`no checkpoint in ${plan.outputDir} yet: starting with the first step`);
    }
    await reporter.begin();
    await evaluateFirst(run);
    if (isOutOfPatience(run)) run.end = 'stopped';
    else if (state.globalStep >= plan.totalSteps) run.end = 'finished';
  }

  async step(microBatches: readonly MicroBatch[]): Promise<Step | undefined> {
    return this.end === undefined ? trainingStep(this.#run, microBatches) : undefined;
  }

  async between<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!this.#run.request.signal?.aborted) throw error;
      await this.step([]); // finds the signal aborted
      return undefined;
    }
  }

  async evaluate(): Promise<Readonly<Record<string, number>> | undefined> {
    const run = this.#run;
    run.evaluated = undefined;
    await evaluateRun(run);
    // set by evaluateRun unless it was interrupted
    return (run as Pick<Run, 'evaluated'>).evaluated?.metrics;
  }

  restart(steps: number, { optimizer }: { readonly optimizer: boolean }): void {
    const { state, updater } = this.#run;
    state.cycle = { start: state.globalStep, steps };
    if (optimizer) updater.reset();
  }

  save(): Promise<string> {
    return saveRun(this.#run, this.end !== undefined);
  }

  async close(): Promise<FitResult> {
    const run = this.#run;
    run.end ??= 'stopped';
    if (run.end === 'interrupted') {
      run.log.info(
        run.checkpoint === undefined
          ? 'stopped before the first step'
          : `stopped after step ${this.steps}; continue with --resume-from-checkpoint`,
      );
    } else if (run.end !== 'planned') await this.#finish();
    const { state, plan, evaluated } = run;
    return {
      steps: state.globalStep,
      trainLoss: state.trainLoss,
      outputDir: plan.outputDir,
      stoppedEarly: run.end !== 'finished',
      log: state.logHistory,
      ...(evaluated ? { evaluation: evaluated.metrics } : {}),
    };
  }

  async dispose(): Promise<void> {
    const { programs, norm, updater } = this.#run;
    await programs.dispose();
    await norm.dispose();
    await updater.dispose();
    await this.#lock?.release();
  }

  /** Loads the best model, evaluates, and writes the results. */
  async #finish(): Promise<void> {
    const run = this.#run;
    const { request, plan, state, hooks, log, programs, updater } = run;
    await updater.keepEvaluationWeights(request.model.parameters.values(), () => {
      programs.parametersChanged();
    });
    await this.#loadBest();
    await checkUsable(request.model, state.globalStep, run.checkpoint);
    if (run.evaluated === undefined) await evaluateRun(run);
    const { engine, version } = this.#setup;
    await writeResults({ ...run, evaluation: run.evaluated, engine, version });
    const figures = Object.entries(run.evaluated?.metrics ?? {});
    const values = {
      trainLoss: state.trainLoss,
      seconds: state.seconds,
      ...Object.fromEntries(figures.map(([name, value]) => [`eval_${name}`, value])),
    };
    hooks.onMetrics.call({ kind: 'final', step: state.globalStep, values });
    log.event(
      'done',
      { steps: state.globalStep, outputDir: plan.outputDir, ...values },
      `done: ${state.globalStep} steps, training loss ${state.trainLoss.toPrecision(4)}; ` +
        `results are in ${plan.outputDir}`,
    );
  }

  async #loadBest(): Promise<void> {
    const run = this.#run;
    const { request, plan, state, hooks, log, programs } = run;
    if (!plan.options.loadBestModelAtEnd || state.bestModelCheckpoint === undefined) return;
    if (state.bestGlobalStep === state.globalStep) return;
    const folder = await restoreBest(plan, state, hooks, request.model);
    programs.parametersChanged();
    run.evaluated = undefined;
    log.info(`the best model is ${folder} (${plan.bestMetric} ${state.bestMetric})`);
  }
}
