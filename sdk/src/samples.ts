// Tokenized data: samples, and batches of them as tensors.
import type { DType, Shape, TypedArray } from './graph/index.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Label of a token that carries no loss. */
export const IGNORED = -100;

/** One training sequence. All arrays have one length. */
export interface Sample {
  readonly inputIds: Int32Array;
  /**
   * Token to be predicted AT each place (not shifted): equal to inputIds where trained, IGNORED
   * elsewhere. The objective shifts.
   */
  readonly labels: Int32Array;
  /** Packed samples: 1, 2, ... for each one inside; absent for a single sample. */
  readonly segments?: Int32Array;
  /** Packed samples: position of each token in its own sample; absent means 0, 1, 2, ... */
  readonly positions?: Int32Array;
  /**
   * Of samples that are packed: tokens of the longest of all that are, by which rotary positions go
   * that depend on a length.
   */
  readonly contextLength?: number;
}

/** One sample of several, one after another, that do not see each other. */
export function joinSamples(samples: readonly Sample[]): Sample {
  const length = samples.reduce((total, { inputIds }) => total + inputIds.length, 0);
  const joined = {
    inputIds: new Int32Array(length),
    labels: new Int32Array(length),
    segments: new Int32Array(length),
    positions: new Int32Array(length),
  };
  let at = 0;
  for (const [member, { inputIds, labels }] of samples.entries()) {
    joined.inputIds.set(inputIds, at);
    joined.labels.set(labels, at);
    joined.segments.fill(member + 1, at, at + inputIds.length);
    for (let token = 0; token < inputIds.length; token++) joined.positions[at + token] = token;
    at += inputIds.length;
  }
  return joined;
}

/** Counts over the samples of a split, as the report before training shows them. */
export interface SampleStatistics {
  readonly samples: number;
  readonly tokens: number;
  readonly trainedTokens: number;
  readonly truncated: number;
  readonly dropped: number;
}

/** Random access to tokenized samples; large sets are read from the disk cache. */
export interface Samples {
  readonly length: number;
  readonly statistics: SampleStatistics;
  /** Hash of everything that made them; a resumed run compares it. */
  readonly fingerprint: string;
  get(index: number): Sample;
  /** Number of tokens of a sample, without reading it. */
  lengthOf(index: number): number;
}

/** One tensor of a micro-batch, before it is uploaded. */
export interface BatchTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

/**
 * A micro-batch: an open map of tensors. `inputIds`, `labels`, `positions` int32 [size, length];
 * `segments` where samples are packed.
 */
export interface Batch {
  readonly size: number;
  readonly length: number;
  /** Positions lie below this; `length` where absent. */
  readonly contextLength?: number;
  readonly tensors: Record<string, BatchTensor>;
  /** Tokens that are not padding. */
  readonly tokens: number;
  /** Tokens that carry a label after the shift: the normaliser of the loss. */
  readonly trainedTokens: number;
}

/** Which answers of a conversation are trained: all of the assistant's, or the last one alone. */
export type TrainedAnswers = 'all' | 'last';

/** What samples are loaded for. */
export interface SampleRequest {
  readonly tokenizer: Tokenizer;
  /** Most tokens of a sample. */
  readonly maxPositions: number;
  /**
   * What a method needs, whatever the configuration says. `weight: 0` leaves an answer out in either
   * case.
   */
  readonly answers?: TrainedAnswers;
  readonly signal?: AbortSignal;
}

/**
 * Loads, checks, tokenizes and packs what `dataset` / `evalDataset` name, running onDataset and
 * onSamples.
 */
export interface SampleLoader {
  /**
   * Training and evaluation samples; `evaluation` undefined where none is asked for. Prints what it
   * found.
   */
  load(request: SampleRequest): Promise<{
    readonly train: Samples;
    readonly evaluation?: Samples;
    /** For the model card: names, formats, counts. */
    readonly description: Readonly<Record<string, unknown>>;
  }>;
}
