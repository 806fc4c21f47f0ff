// The one training loop's contract: objectives, steps, checkpoints, results. The trainer plugin
// implements it.
import type { Shape, Value } from './graph/index.ts';
import { registry } from './registry.ts';
import type { Batch, Sample, Samples } from './samples.ts';
import type { Model } from './model/model.ts';
import type { Trace } from './model/model.ts';

/**
 * What is minimised. The trainer divides by the step's total `weight`, over all its micro-batches.
 */
export interface Objective {
  readonly name: string;
  /** Options that decide the loss; a resumed run compares them. */
  readonly options?: Readonly<Record<string, unknown>>;
  /**
   * Builds the SUM of the loss over what `weight` counts, and sums of further figures by name,
   * which are divided by the same weight, or by a separate sum.
   */
  build(trace: Trace): {
    readonly loss: Value;
    readonly metrics?: Readonly<Record<string, Value | Ratio>>;
  };
  /** What the sum is divided by: the number of trained tokens, or of pairs. */
  weight(batch: Batch): number;
  /**
   * The same sum with labels drawn from the model's own distribution, at the same places:
   * optimizers that estimate curvature take its gradient (Sophia).
   * `uniform` makes an input of numbers in [0, 1), drawn anew for every run. Left out where labels
   * are not what the model predicts.
   */
  buildSampled?(trace: Trace, uniform: (shape: Shape) => Value): { readonly loss: Value };
  /**
   * The loss is a sum over tokens or over sequences, in whichever row they stand: samples of a
   * micro-batch may be laid one after another into fewer rows.
   */
  readonly perToken?: boolean;
  /**
   * Figures of an evaluation that follow from its means (`loss` and the objective's own): the
   * perplexity of a language model.
   */
  figures?(means: Readonly<Record<string, number>>): Readonly<Record<string, number>>;
  /** Its figures that say how it goes, for people: the log has them before the loss. */
  readonly shown?: readonly string[];
}

/** A figure over a step's micro-batches: the sum of `sum` over that of `weight`, scalars both. */
export interface Ratio {
  readonly sum: Value;
  readonly weight: Value;
}

/** Planned memory in bytes. */
export interface MemoryPlan {
  readonly weights: number;
  /** The program's results, and what is kept of them. */
  readonly gradients: number;
  readonly optimizer: number;
  readonly activations: number;
  /** The process itself, as it is now, and what the engine takes beside the activations. */
  readonly process: number;
  readonly total: number;
  readonly available: number;
}

/** A run before its first step. */
export interface Planning {
  readonly model: Model;
  /**
   * What the largest micro-batch needs with the model as it is built now; traced anew at every
   * call.
   */
  memory(): Promise<MemoryPlan>;
}

/** What taps may ask of the trainer; asked before the step ends, carried out after it. */
export interface StepControl {
  stop: boolean;
  save: boolean;
  evaluate: boolean;
  log: boolean;
}

/** Figures that a tap adds to the log of training. */
export interface Figures {
  /**
   * Adds to a figure: the log has the sum of `total` over the sum of `weight` (default 1) since the
   * last entry. Names may contain "/".
   */
  add(name: string, total: number, weight?: number): void;
}

/** One optimizer step, as the hooks of training see it. */
export interface Step {
  /** Number of the optimizer step, from 1. */
  readonly number: number;
  readonly totalSteps: number;
  /** Passed epochs, with fraction. */
  readonly epoch: number;
  readonly model: Model;
  readonly control: StepControl;
  /** For the next entry of the log; in evaluation for its figures. */
  readonly figures: Figures;
  /** `evaluation` in onBatch while evaluating: nothing is learned, and control is not looked at. */
  readonly mode: 'training' | 'evaluation';
  readonly batches: readonly Batch[];
  /**
   * While training, for checks: loss and summed gradients of a micro-batch, from a program that is
   * traced anew. Nothing is updated.
   */
  readonly gradients?: (
    batch: Batch,
  ) => Promise<{ readonly loss: number; readonly gradients: ReadonlyMap<string, Float32Array> }>;
  /**
   * After the update: mean loss, norm of the gradient before clipping, learning rate of this step,
   * seconds.
   */
  loss?: number;
  gradientNorm?: number;
  learningRate?: number;
  seconds?: number;
}

/** The figures of one evaluation; taps of `onEvaluate` may add to them. */
export interface Evaluation {
  readonly step: number;
  readonly epoch: number;
  /** `loss` (weighted mean) and the figures of the objective; taps may add more. */
  readonly metrics: Record<string, number>;
  readonly seconds: number;
}

/**
 * What an evaluation in training measures beside the loss on samples, such as tasks: a row of
 * EVALUATIONS. With one that is wanted, a run evaluates without evaluation data, too.
 */
export interface EvaluationRow {
  readonly name: string;
  /** Whether the configuration asks for it. */
  wanted(): boolean;
  /** Before the first step: reads what it needs, so that what is missing is told then. */
  prepare(signal: AbortSignal | undefined): Promise<void>;
  /**
   * Figures by name, which metricForBestModel may choose. The model's parameters hold the weights
   * that are evaluated. Rejects with the signal's reason where that is aborted.
   */
  evaluate(request: {
    readonly model: Model;
    readonly signal: AbortSignal | undefined;
  }): Promise<Readonly<Record<string, number>>>;
}

/** Further evaluations in training. */
export const EVALUATIONS = registry<EvaluationRow>(
  'evaluations',
  'evaluation in training',
  '@lmflow/plugin-evaluate',
);

/**
 * Figures for people and sinks: `{ step, epoch, loss, learningRate, gradientNorm, tokensPerSecond,
 * ... }` or an evaluation's.
 */
export interface Metrics {
  readonly kind: 'train' | 'evaluation' | 'final';
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

/** A folder that is being written (aside; it is renamed when complete) or read. */
export interface Checkpoint {
  readonly kind: 'checkpoint' | 'final';
  readonly directory: string;
  readonly step: number;
  readonly model: Model;
  writeJson(file: string, value: unknown): Promise<void>;
  writeText(file: string, text: string): Promise<void>;
  /** Where `data` is a function, it is called when the tensor's turn comes. */
  writeTensors(
    file: string,
    tensors: ReadonlyMap<
      string,
      {
        readonly shape: readonly number[];
        readonly data: Float32Array | (() => Promise<Float32Array>);
      }
    >,
    metadata?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** The file as text; undefined where it is absent. */
  readText(file: string): Promise<string | undefined>;
  /** undefined where the file is absent. */
  readJson(file: string): Promise<unknown>;
  readTensors(
    file: string,
  ): Promise<
    | ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
    | undefined
  >;
}

/** What to train, and towards which objective. */
interface TrainingRequest {
  readonly model: Model;
  readonly evaluation?: Samples;
  readonly objective: Objective;
  /** Facts for the model card and the resume check (data description, what was tuned). */
  readonly description?: Readonly<Record<string, unknown>>;
  /** Stop after the plan. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** A training on samples that are all there before it begins. */
export interface FitRequest extends TrainingRequest {
  readonly train: Samples;
}

/** A training whose samples are made while it runs. */
export interface OpenRequest extends TrainingRequest {
  readonly data: TrainingData;
}

/** What is known of the samples of a training before its first step. */
export interface TrainingData {
  /** Samples in an epoch. */
  readonly samples: number;
  /** Hash of everything that decides what they are; a resumed run compares it. */
  readonly fingerprint: string;
  /** Optimizer steps in an epoch; the configuration says how many epochs or steps there are. */
  readonly stepsPerEpoch: number;
  /** Passed epochs, with fraction, after a step; step / stepsPerEpoch where left out. */
  epochAfter?(step: number): number;
  /**
   * Number of the step that ends so many epochs; epochs * stepsPerEpoch where left out. A run that
   * was resumed with another batch size has made other steps before.
   */
  stepsUntil?(epochs: number): number;
  /** Mean of an epoch's steps. */
  readonly sequencesPerStep: number;
  readonly tokensPerStep: number;
  /** The largest micro-batches: the plan counts their memory, and no later batch may be longer. */
  readonly largest: readonly MicroBatch[];
}

/** Samples that are computed together, before they are a batch. */
export type MicroBatch = readonly Sample[];

/** The result of a training. */
export interface FitResult {
  readonly steps: number;
  readonly trainLoss: number;
  readonly evaluation?: Readonly<Record<string, number>>;
  readonly outputDir: string;
  /** Ended by Ctrl-C or a tap before its last step. */
  readonly stoppedEarly: boolean;
  readonly log: readonly Readonly<Record<string, number>>[];
}

/**
 * Why no step follows: all are done, a tap or early stopping asked, a signal came (a checkpoint is
 * saved then), or only the plan was wanted.
 */
export type RunEnd = 'finished' | 'stopped' | 'interrupted' | 'planned';

/**
 * A training that its owner steps through. The plan is printed, a checkpoint restored (`onRestore`)
 * and the first evaluation done. What the owner needs to resume, it saves in `onSave`.
 */
export interface TrainingRun {
  /** Optimizer steps that are done, those before a resume too. */
  readonly steps: number;
  readonly totalSteps: number;
  /** undefined while steps follow. */
  readonly end: RunEnd | undefined;
  /**
   * One optimizer step over micro-batches, and what is due after it: log, evaluation, checkpoint.
   * The same samples may come again. undefined where the run has ended instead.
   */
  step(microBatches: readonly MicroBatch[]): Promise<Step | undefined>;
  /**
   * What its owner does between steps (draws answers, rewards them). Where it fails after the
   * request's signal is aborted, the run ends as at a step, saved and `interrupted`: undefined.
   */
  between<T>(work: () => Promise<T>): Promise<T | undefined>;
  /** Evaluates now; undefined without evaluation data, or where it is interrupted. */
  evaluate(): Promise<Readonly<Record<string, number>> | undefined>;
  /**
   * Begins the schedule of the learning rate anew, for so many steps; checkpoints keep it. With
   * `optimizer` its state is that of a first step, too.
   */
  restart(steps: number, options: { readonly optimizer: boolean }): void;
  /** Writes a checkpoint now and returns its folder. */
  save(): Promise<string>;
  /** Ends the training: best model, last evaluation, final files (none after `interrupted`). */
  close(): Promise<FitResult>;
  /** Frees what the run holds, after `close` or instead of it. */
  dispose(): Promise<void>;
}

/** The training loop, found under the token TRAINER. Options come from the configuration. */
export interface Trainer {
  /** Trains `model.parameters` to the end. */
  fit(request: FitRequest): Promise<FitResult>;
  /** Opens a training of `model.parameters`; its owner passes the samples and disposes of it. */
  open(request: OpenRequest): Promise<TrainingRun>;
  /** Mean loss (and metrics) over samples without training. */
  evaluate(request: {
    readonly model: Model;
    readonly samples: Samples;
    readonly objective: Objective;
    readonly signal?: AbortSignal;
  }): Promise<Record<string, number>>;
}
