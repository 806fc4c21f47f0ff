// The hook points of the kernel and their types. The types are the part of tapable that plugins
// use; the kernel makes the hooks with tapable.
import type { Batch, Samples } from './samples.ts';
import type { Checkpoint, Evaluation, Metrics, Planning, Step } from './training.ts';
import type { Config } from './config.ts';
import type { Dataset, DatasetRequest } from './dataset.ts';
import type { DoctorCheck } from './doctor.ts';
import type { DecodeSession, GenerateRequest } from './generation.ts';
import type { Model, ModelRequest } from './model/model.ts';

/** When a tap runs among the taps of its hook; taps of one stage run in plugin order. */
export const Stage = { Early: -100, Normal: 0, Late: 100 } as const;

/** A tap's name is its plugin's; `before` is not offered (it depends on who is loaded). */
export interface TapOptions {
  readonly name: string;
  readonly stage?: number;
}

export interface SyncHook<A extends unknown[]> {
  tap(options: string | TapOptions, listener: (...values: A) => void): void;
  call(...values: A): void;
}
export interface SyncWaterfallHook<A extends unknown[]> {
  tap(options: string | TapOptions, listener: (...values: A) => A[0] | undefined): void;
  call(...values: A): A[0];
}
export interface AsyncSeriesHook<A extends unknown[]> {
  tap(options: string | TapOptions, listener: (...values: A) => void): void;
  tapPromise(options: string | TapOptions, listener: (...values: A) => Promise<void>): void;
  promise(...values: A): Promise<void>;
}
export interface AsyncSeriesWaterfallHook<A extends unknown[]> {
  tap(options: string | TapOptions, listener: (...values: A) => A[0] | undefined): void;
  tapPromise(
    options: string | TapOptions,
    listener: (...values: A) => Promise<A[0] | undefined>,
  ): void;
  promise(...values: A): Promise<A[0]>;
}
export interface AsyncSeriesBailHook<A extends unknown[], R> {
  tap(options: string | TapOptions, listener: (...values: A) => R | undefined): void;
  tapPromise(
    options: string | TapOptions,
    listener: (...values: A) => Promise<R | undefined>,
  ): void;
  promise(...values: A): Promise<R | undefined>;
}

/**
 * Every hook of a kernel. A plugin adds its own by declaration merging and `context.defineHook`.
 */
export interface Hooks {
  /** The merged configuration, before it is parsed: adjust or add keys. */
  readonly onConfig: SyncWaterfallHook<[Config]>;
  /** Records of a dataset: filter, map, mix. */
  readonly onDataset: AsyncSeriesWaterfallHook<[Dataset, DatasetRequest]>;
  /** Token samples: truncate, pack. */
  readonly onSamples: AsyncSeriesWaterfallHook<[Samples, DatasetRequest]>;
  /** A loaded model: wrap building functions, declare trainable parameters. */
  readonly onModelLoad: AsyncSeriesWaterfallHook<[Model, ModelRequest]>;
  /**
   * Before the first step, when its memory is planned: see what it needs and change how the model
   * is built.
   */
  readonly onPlan: AsyncSeriesHook<[Planning]>;
  /** A micro-batch before it is run: add or change tensors. */
  readonly onBatch: AsyncSeriesWaterfallHook<[Batch, Step]>;
  /** Before a step's first micro-batch. */
  readonly onStepStart: AsyncSeriesHook<[Step]>;
  /** After a step's update; `step.control` asks to stop, save or evaluate. */
  readonly onStep: AsyncSeriesHook<[Step]>;
  /** After an evaluation. */
  readonly onEvaluate: AsyncSeriesHook<[Evaluation]>;
  /** A checkpoint or the final result is being written: every plugin with state adds its files. */
  readonly onSave: AsyncSeriesHook<[Checkpoint]>;
  /** A checkpoint is being read back. */
  readonly onRestore: AsyncSeriesHook<[Checkpoint]>;
  /** Who decodes? The first to answer. Plain decoding answers last. */
  readonly onGenerate: AsyncSeriesBailHook<[GenerateRequest], DecodeSession>;
  /** Figures to log; a sink that fails only warns. */
  readonly onMetrics: SyncHook<[Metrics]>;
  /** `lmflow doctor` asks what works and what is missing: push checks to the list. */
  readonly onDoctor: AsyncSeriesHook<[DoctorCheck[]]>;
  /** The kernel closes: runs in reverse order, every tap, errors gathered. */
  readonly onClose: AsyncSeriesHook<[]>;
}
