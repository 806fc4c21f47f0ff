// The state of a run: counters, best model, log. It is written as Hugging Face's
// trainer_state.json, and a private part that an exact resume needs.
import type { FigureSums } from './figures.ts';
import type { RunPlan } from './run-plan.ts';

export type LogEntry = Readonly<Record<string, number>>;

/** Sums since the last log entry. */
export interface LogWindow {
  steps: number;
  loss: number;
  metrics: Record<string, number>;
  /** Those with denominators of their own. */
  figures: FigureSums;
}

/** The part that trainer_state.json does not have. */
export interface PrivateState {
  readonly window: LogWindow;
  readonly lossTotal: number;
  readonly seconds: number;
  readonly evaluationDue: boolean;
  readonly cycle?: Cycle;
}

/** A schedule of the learning rate that began anew after `start` steps. */
export interface Cycle {
  readonly start: number;
  readonly steps: number;
}

export class RunState {
  globalStep = 0;
  epoch = 0;
  bestMetric: number | undefined;
  bestGlobalStep: number | undefined;
  bestModelCheckpoint: string | undefined;
  /** Evaluations in a row that were not better. */
  patience = 0;
  /** An evaluation was due and interrupted. */
  evaluationDue = false;
  /** The schedule in force, where it is not that of the whole run. */
  cycle: Cycle | undefined;
  tokensSeen = 0;
  floatingPointOperations = 0;
  logHistory: LogEntry[] = [];
  window: LogWindow = { steps: 0, loss: 0, metrics: {}, figures: {} };
  /** Sum of the steps' losses. */
  lossTotal = 0;
  /** Training time, over all interruptions. */
  seconds = 0;

  /** Mean of the steps' losses, as transformers reports train_loss. */
  get trainLoss(): number {
    return this.globalStep === 0 ? Number.NaN : this.lossTotal / this.globalStep;
  }

  /** trainer_state.json, keys sorted. */
  toJson(plan: RunPlan, stopping: boolean): Record<string, unknown> {
    const { options } = plan;
    const callbacks: Record<string, unknown> = {
      TrainerControl: {
        args: {
          should_epoch_stop: false,
          should_evaluate: false,
          should_log: false,
          should_save: true,
          should_training_stop: stopping,
        },
        attributes: {},
      },
    };
    if (options.earlyStoppingPatience !== undefined) {
      callbacks['EarlyStoppingCallback'] = {
        args: {
          early_stopping_patience: options.earlyStoppingPatience,
          early_stopping_threshold: options.earlyStoppingThreshold,
        },
        attributes: { early_stopping_patience_counter: this.patience },
      };
    }
    return sorted({
      best_global_step: this.bestGlobalStep ?? null,
      best_metric: this.bestMetric ?? null,
      best_model_checkpoint: this.bestModelCheckpoint ?? null,
      epoch: this.epoch,
      eval_steps: plan.evalSteps,
      global_step: this.globalStep,
      is_hyper_param_search: false,
      is_local_process_zero: true,
      is_world_process_zero: true,
      log_history: this.logHistory,
      logging_steps: plan.loggingSteps,
      max_steps: plan.totalSteps,
      num_input_tokens_seen: this.tokensSeen,
      num_train_epochs: Math.ceil(plan.epochAfter(plan.totalSteps)),
      save_steps: plan.saveSteps,
      stateful_callbacks: callbacks,
      total_flos: this.floatingPointOperations,
      train_batch_size: options.perDeviceTrainBatchSize,
      trial_name: null,
      trial_params: null,
    });
  }

  privateState(): PrivateState {
    return {
      window: structuredClone(this.window),
      lossTotal: this.lossTotal,
      seconds: this.seconds,
      evaluationDue: this.evaluationDue,
      ...(this.cycle ? { cycle: this.cycle } : {}),
    };
  }

  /** Restores what `toJson` and `privateState` returned. */
  restore(saved: Readonly<Record<string, unknown>>, own: PrivateState): void {
    const read = saved as {
      readonly best_global_step: number | null;
      readonly best_metric: number | null;
      readonly best_model_checkpoint: string | null;
      readonly epoch: number;
      readonly global_step: number;
      readonly num_input_tokens_seen: number;
      readonly total_flos: number;
      readonly log_history: LogEntry[];
      readonly stateful_callbacks?: {
        readonly EarlyStoppingCallback?: {
          readonly attributes: { readonly early_stopping_patience_counter: number };
        };
      };
    };
    this.globalStep = read.global_step;
    this.epoch = read.epoch;
    this.bestMetric = read.best_metric ?? undefined;
    this.bestGlobalStep = read.best_global_step ?? undefined;
    this.bestModelCheckpoint = read.best_model_checkpoint ?? undefined;
    this.patience =
      read.stateful_callbacks?.EarlyStoppingCallback?.attributes.early_stopping_patience_counter ??
      0;
    this.tokensSeen = read.num_input_tokens_seen;
    this.floatingPointOperations = read.total_flos;
    this.logHistory = [...read.log_history];
    // checkpoints of earlier versions have no figures
    this.window = { ...structuredClone(own.window), figures: { ...own.window.figures } };
    this.lossTotal = own.lossTotal;
    this.seconds = own.seconds;
    this.evaluationDue = own.evaluationDue;
    this.cycle = own.cycle;
  }
}

/** The same value with the keys of every object in order, as Python's sort_keys writes it. */
export function sorted<T>(value: T): T {
  if (Array.isArray(value)) return value.map(sorted) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner as unknown)]),
  ) as T;
}
