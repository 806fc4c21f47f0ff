// Tokenized data: samples, and batches of them as tensors.
import { inputError, type LMFlowError } from './errors.ts';
import type { DType, Shape, TypedArray } from './graph/index.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Label of a token that carries no loss. */
export const IGNORED = -100;

/** Numbers that go with a sequence, by name; one for all of it, or one for each of its tokens. */
export interface SampleColumns {
  /** A reward, a margin, an advantage of the whole answer. */
  readonly columns?: Readonly<Record<string, number>>;
  /** Old log-probabilities, advantages, returns: as long as inputIds. */
  readonly perToken?: Readonly<Record<string, Float32Array>>;
}

/** An image or a sound whose rows stand at places of a sequence. */
export interface SampleMedia {
  /** A hash of its bytes and of how it is prepared, which identifies it. */
  readonly key: string;
  /** Place of its first row in the sequence. */
  readonly start: number;
  /** Number of places that it takes. */
  readonly rows: number;
}

/** Which sample a sequence is of. */
export interface SamplePlace {
  /** Index of the sample in the set it is from. */
  readonly sample: number;
  /** Its place in a group; 0 where samples are no groups. */
  readonly member: number;
}

/** One training sequence. All arrays have one length. */
export interface Sample extends SampleColumns {
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
   * Packed samples: tokens of the longest sample in any pack, for rotary positions that depend on a
   * length.
   */
  readonly contextLength?: number;
  readonly media?: readonly SampleMedia[];
  readonly place?: SamplePlace;
  /** Packed samples: the sequences inside, in order, with their columns. */
  readonly parts?: readonly SamplePart[];
}

/** A sequence inside a packed sample. */
export interface SamplePart {
  /** Its first place. */
  readonly start: number;
  readonly length: number;
  readonly columns?: Readonly<Record<string, number>>;
  readonly place?: SamplePlace;
}

/**
 * Joins samples into one, in which their tokens do not see each other. Numbers of tokens and media
 * move with their tokens; columns and places stay with each part. Throws LMFLOW_SAMPLE_COLUMNS where
 * a sample lacks numbers of tokens that another has.
 */
export function joinSamples(samples: readonly Sample[]): Sample {
  const length = samples.reduce((total, { inputIds }) => total + inputIds.length, 0);
  const joined = {
    inputIds: new Int32Array(length),
    labels: new Int32Array(length),
    segments: new Int32Array(length),
    positions: new Int32Array(length),
  };
  const names = [...new Set(samples.flatMap(({ perToken = {} }) => Object.keys(perToken)))];
  const perToken = Object.fromEntries(names.map((name) => [name, new Float32Array(length)]));
  const parts: SamplePart[] = [];
  const media: SampleMedia[] = [];
  let at = 0;
  for (const [index, sample] of samples.entries()) {
    const { inputIds, labels, columns, place } = sample;
    joined.inputIds.set(inputIds, at);
    joined.labels.set(labels, at);
    joined.segments.fill(index + 1, at, at + inputIds.length);
    for (let token = 0; token < inputIds.length; token++) joined.positions[at + token] = token;
    for (const name of names) perToken[name]!.set(tokenNumbers(sample, name), at);
    for (const item of sample.media ?? []) media.push({ ...item, start: item.start + at });
    parts.push({
      start: at,
      length: inputIds.length,
      ...(columns ? { columns } : {}),
      ...(place ? { place } : {}),
    });
    at += inputIds.length;
  }
  return {
    ...joined,
    parts,
    ...(names.length > 0 ? { perToken } : {}),
    ...(media.length > 0 ? { media } : {}),
  };
}

/** A sequence's numbers of tokens. Throws LMFLOW_SAMPLE_COLUMNS where it lacks them. */
export function tokenNumbers({ inputIds, perToken }: Sample, name: string): Float32Array {
  const numbers = perToken?.[name];
  if (numbers?.length === inputIds.length) return numbers;
  throw columnMissing(
    name,
    numbers && `has ${numbers.length} numbers for ${inputIds.length} tokens`,
  );
}

/** LMFLOW_SAMPLE_COLUMNS: samples of a batch do not have the same columns. */
export function columnMissing(name: string, what = 'lacks it'): LMFlowError {
  return inputError('LMFLOW_SAMPLE_COLUMNS', `column "${name}": a sample of the batch ${what}`, {
    hint: 'Give every sample the same columns.',
  });
}

/** The sequences of one sample, each with its place: of a group all of them. */
export function sequencesOf(samples: Samples, index: number): readonly Sample[] {
  const { group } = samples;
  return (group?.get(index) ?? [samples.get(index)]).map((sequence, member) => ({
    place: { sample: index, member },
    ...sequence,
  }));
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
  /** Hash of everything that decides them; a resumed run compares it. */
  readonly fingerprint: string;
  get(index: number): Sample;
  /**
   * Where samples are groups of sequences that belong together (a chosen answer and a rejected one,
   * several answers to one prompt): the sequences of one, as many in each group. The batch size
   * counts groups, and a group is never split. `get` gives them joined.
   */
  readonly group?: {
    readonly size: number;
    get(index: number): readonly Sample[];
  };
  /** Number of tokens of a sample (of a group, of its longest sequence), without reading it. */
  lengthOf(index: number): number;
}

/** One tensor of a micro-batch, before it is uploaded. */
export interface BatchTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

/** Where a sequence is in a batch, and which sample it belongs to. */
export interface BatchSequence extends SamplePlace {
  readonly row: number;
  /** Its first place in the row. */
  readonly start: number;
  readonly length: number;
}

/**
 * A micro-batch: an open map of tensors. `inputIds`, `labels`, `positions` int32 [size, length];
 * `segments` where samples are packed. Where sequences have columns or are in groups: `sequences`
 * int32 [size, length], which of `Batch.sequences` a token is of (-1 for padding), `lastTokens`
 * int32 [sequences], the place of each sequence's last token in size x length, each column
 * float32 [sequences] by its name, and the numbers of tokens float32 [size, length] (0 on padding).
 */
export interface Batch {
  readonly size: number;
  readonly length: number;
  /** All positions are below this; default: `length`. */
  readonly contextLength?: number;
  readonly tensors: Record<string, BatchTensor>;
  /** Tokens that are not padding. */
  readonly tokens: number;
  /** Tokens that carry a label after the shift: the normaliser of the loss. */
  readonly trainedTokens: number;
  /** Group by group, in the order of the samples; a packed sample's where its parts are known. */
  readonly sequences: readonly BatchSequence[];
  /** Sequences of a group: sequence g x groupSize + m is member m of group g. */
  readonly groupSize: number;
  /** Media of the rows, in order. */
  readonly media: readonly (SampleMedia & { readonly row: number })[];
}

/** The batch with a number more, float32 [1]: what an objective has to know of the whole step. */
export function withNumber(batch: Batch, name: string, value: number): Batch {
  const tensor: BatchTensor = { dtype: 'float32', shape: [1], data: Float32Array.of(value) };
  return { ...batch, tensors: { ...batch.tensors, [name]: tensor } };
}

/** Which answers of a conversation are trained: all of the assistant's, or the last one alone. */
export type TrainedAnswers = 'all' | 'last';

/**
 * Answers that are compared instead of learned. `pairs`: a sample is a group of two, chosen and
 * rejected, with a column `margin` where the data have one. `unpaired`: a sample is one answer with a
 * column `desirable`, 1 or 0; a pair gives two. In either case the last answer alone has labels.
 */
export type PreferenceSamples = 'pairs' | 'unpaired';

/** What samples are loaded for. */
export interface SampleRequest {
  readonly tokenizer: Tokenizer;
  /** Most tokens of a sample. */
  readonly maxPositions: number;
  /**
   * What a method needs, whatever the configuration says. `weight: 0` excludes an answer in either
   * case.
   */
  readonly answers?: TrainedAnswers;
  /** Left out, samples are answers to learn, and records of preferences are refused. */
  readonly preferences?: PreferenceSamples;
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
