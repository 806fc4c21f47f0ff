// The hook points of the kernel and their types. The types are the part of tapable that plugins
// use; the kernel makes the hooks with tapable.
import type { Batch, Samples } from './samples.ts';
import type { Checkpoint, Evaluation, Metrics, Planning, Step } from './training.ts';
import type { Config } from './config.ts';
import type { Dataset, DatasetRequest } from './dataset.ts';
import type { DoctorCheck } from './doctor.ts';
import type { DecodeSession, GenerateRequest, LogitsContext } from './generation.ts';
import type { Model } from './model/model.ts';
import type { ModelRequest } from './model/services.ts';

/** Before or after the taps of other plugins; left out: among them, in plugin order. */
export interface TapOptions {
  readonly enforce?: 'pre' | 'post';
}

/** What a listener may return: the value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** Listeners run one after the other, synchronously. */
export interface SyncHook<A extends unknown[]> {
  readonly kind: 'sync';
  /** Whether it has taps, so that a caller in a hot loop can skip its preparation. */
  readonly tapped: boolean;
  tap(listener: (...values: A) => void, options?: TapOptions): void;
  call(...values: A): void;
}

/** Each listener returns the first argument of the next; `undefined` leaves it unchanged. */
export interface SyncWaterfallHook<A extends unknown[]> {
  readonly kind: 'sync-waterfall';
  tap(listener: (...values: A) => A[0] | undefined, options?: TapOptions): void;
  call(...values: A): A[0];
}

/** Listeners run one after the other; each is awaited. */
export interface AsyncSeriesHook<A extends unknown[]> {
  readonly kind: 'series';
  tap(listener: (...values: A) => Awaitable<void>, options?: TapOptions): void;
  promise(...values: A): Promise<void>;
}

/** Each listener returns, or promises, the first argument of the next. */
export interface AsyncSeriesWaterfallHook<A extends unknown[]> {
  readonly kind: 'waterfall';
  tap(listener: (...values: A) => Awaitable<A[0] | undefined>, options?: TapOptions): void;
  promise(...values: A): Promise<A[0]>;
}

/**
 * Each listener returns the answer, or calls the listeners after it with `next()` and changes or
 * keeps their answer. `next()` of the last one, and `promise` without an answer, resolve to
 * `undefined`.
 */
export interface MiddlewareHook<A extends unknown[], R> {
  readonly kind: 'middleware';
  tap(
    listener: (...values: [...A, next: () => Promise<R | undefined>]) => Awaitable<R | undefined>,
    options?: TapOptions,
  ): void;
  promise(...values: A): Promise<R | undefined>;
}

/**
 * Like AsyncSeriesHook, in named phases. Taps of one phase run in an order that does not depend on
 * the configuration: after the taps of plugins that their plugin `requires`, else by its name.
 */
export interface PhasedHook<A extends unknown[], P extends string> {
  readonly kind: 'phased';
  tap(phase: P, listener: (...values: A) => Awaitable<void>): void;
  promise(...values: A): Promise<void>;
}

/**
 * The phases of a model that is being loaded, in order: what it is (architecture, positions,
 * vocabulary, template), how frozen products and attention are computed, what is added to them, which
 * weights of the base are trained, how activations are kept, and checks, which change nothing.
 */
export const modelPhases = [
  'shape',
  'products',
  'adapters',
  'parameters',
  'memory',
  'check',
] as const;

/** A phase of onModelLoad. */
export type ModelPhase = (typeof modelPhases)[number];

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
  /** A loaded model, phase by phase: wrap building functions, declare trainable parameters. */
  readonly onModelLoad: PhasedHook<[Model, ModelRequest], ModelPhase>;
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
  /** Opens a decoding session: a strategy answers, or wraps that of `next()`; plain decoding is last. */
  readonly onGenerate: MiddlewareHook<[GenerateRequest], DecodeSession>;
  /**
   * Logits of the next token of one sequence [vocabularySize], to be changed in place; -Infinity
   * excludes a token.
   */
  readonly onLogits: SyncHook<[Float64Array, LogitsContext]>;
  /** Figures to log; a sink that fails only warns. */
  readonly onMetrics: SyncHook<[Metrics]>;
  /** `lmflow doctor` collects what works and what is missing: push checks to the list. */
  readonly onDoctor: AsyncSeriesHook<[DoctorCheck[]]>;
  /** The kernel closes: every tap runs, in reverse order, and errors are collected. */
  readonly onClose: AsyncSeriesHook<[]>;
}
