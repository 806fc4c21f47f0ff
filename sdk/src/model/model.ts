// A model: configuration, weights (references), tokenizer, and named building functions over the
// graph, with the trace of it that they build. It is one object from its first phase to its last; what
// changes it is in wrap.ts, reshape-model.ts and replace-linears.ts.
import type { Graph, ModelWeight, Shape, Value } from '../graph/index.ts';
import type { Tokenizer } from '../tokenizer.ts';
import type { Architecture, LinearLayer } from './architecture.ts';
import type { LinearClaim } from './linear-claim.ts';
import type { Adapter, Parameter } from './parameter.ts';
import type { TrainingMethod } from './training-method.ts';

/**
 * What a model is for in a method: trained (policy), compared with, scoring, or proposing tokens.
 */
export type ModelRole = 'policy' | 'reference' | 'reward' | 'draft';

/**
 * An architecture with its weights, its tokenizer and its building functions, which plugins may
 * wrap.
 */
export interface Model {
  readonly role: ModelRole;
  /** As the user named it. */
  readonly source: string;
  /** Local folder with its files. */
  readonly folder: string;
  readonly revision?: string;
  /** config.json as read, or as `reshapeModel` left it; it is saved. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Changed by `reshapeModel`. */
  readonly architecture: Architecture;
  readonly tokenizer: Tokenizer;
  /** generation_config.json as read; saved with the model. */
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  /**
   * Tokens that end a generation: generation_config's eos_token_id (one or several), else config's,
   * else the tokenizer's.
   */
  readonly eosIds?: readonly number[];
  /** Every tensor of the checkpoint by name; a linear's weight may be packed in a few bits. */
  readonly weights: Map<string, ModelWeight>;
  readonly linears: readonly LinearLayer[];
  /** A classifier's head was drawn, because the folder is a language model's. */
  readonly freshHead?: boolean;
  /** Trainable tensors by name. A parameter named like a weight replaces it in the graph. */
  readonly parameters: Map<string, Parameter>;
  /** Set by `setAdapter`. */
  readonly adapter?: Adapter;
  /** What trains it, as `declareMethod` said. */
  readonly method?: TrainingMethod;
  /** This model with another adapter each, by name, for inference: views of it. */
  adapters?: ReadonlyMap<string, Model>;
  /** Of a view: the model it is a view of. */
  readonly base?: Model;
  /** The functions that trace it; replaced by `wrap`, one at a time. */
  readonly build: BuildingFunctions;
  /** Who replaced which building function, in order. */
  readonly wraps: readonly Wrap[];
  /** Linears that a plugin computes in its own way, as `replaceLinears` claimed them. */
  readonly claims: readonly LinearClaim[];
  /**
   * Reads a weight as float32 (converting 16-bit formats and packed ones), row-major in the file's
   * layout.
   */
  read(name: string): Promise<Float32Array>;
}

/** One replacement of a building function. */
export interface Wrap {
  readonly building: keyof BuildingFunctions;
  /** Name of the plugin. */
  readonly by: string;
}

/**
 * What a model's `attention` function gets: heads of the new tokens' queries, keys and values, with
 * their positions.
 */
export interface AttentionInputs {
  /** [batchSize, length, numHeads, headDim] */
  readonly q: Value;
  /** [batchSize, length, numKeyValueHeads, headDim] */
  readonly k: Value;
  readonly v: Value;
  readonly positions: Value;
  readonly segments?: Value;
  readonly window?: number;
  readonly layer: number;
  /** Earlier tokens, which all of these see too; k and v are the new ones alone. */
  readonly cache?: LayerCache;
}

/**
 * Final hidden states and the head's weight: logits = hidden x weight^T, which losses compute in
 * chunks.
 */
export interface HeadOutput {
  /** [batchSize x length, hiddenSize] */
  readonly hidden: Value;
  /** [vocabularySize, hiddenSize] */
  readonly weight: Value;
}

/**
 * The building functions. Hidden states are rows: [batchSize x length, hiddenSize]. Each takes the
 * trace first and finds the others in `trace.model.build`, so that each can be replaced with `wrap`.
 */
export interface BuildingFunctions {
  /** inputIds int32 [batchSize, length] -> hidden states. */
  readonly embed: (trace: Trace, inputIds: Value) => Value;
  /** One transformer block, in its own region. */
  readonly block: (trace: Trace, hidden: Value, layer: number) => Value;
  /** Normalisation by the weights under a module path. */
  readonly norm: (trace: Trace, x: Value, name: string) => Value;
  /** [batchSize, length, numHeads, headDim] */
  readonly attention: (trace: Trace, inputs: AttentionInputs) => Value;
  /** Rotates q or k [batchSize, length, heads, headDim]. */
  readonly rope: (trace: Trace, x: Value) => Value;
  /**
   * cos and sin tables [length, dimensions / 2] for positions 0.., made by the position-scaling
   * method in force.
   */
  readonly ropeTables: (trace: Trace) => {
    readonly cos: Float32Array;
    readonly sin: Float32Array;
    readonly length: number;
  };
  readonly mlp: (trace: Trace, x: Value, layer: number) => Value;
  /**
   * Linears that share the input x [rows, inFeatures]; one result [rows, outFeatures] each, bias
   * included. Adapters wrap this.
   */
  readonly project: (trace: Trace, x: Value, layers: readonly LinearLayer[]) => Value[];
  /** x W^T for a frozen or trained weight, without bias. Quantized computation wraps this. */
  readonly matmul: (trace: Trace, x: Value, layer: LinearLayer) => Value;
  /** A weight's value: graph input where it is trained, constant in a file where it is frozen. */
  readonly weight: (trace: Trace, name: string) => Value;
  readonly head: (trace: Trace, hidden: Value) => HeadOutput;
  /**
   * Logits [rows, vocabularySize] of rows of the head's hidden states. For inference alone: losses
   * multiply by the head's weight in chunks.
   */
  readonly logits: (trace: Trace, output: HeadOutput) => Value;
}

/** One trace of a model into a graph: what building functions get. */
export interface Trace {
  readonly graph: Graph;
  readonly model: Model;
  /** Rows of the batch. */
  readonly batchSize: number;
  /** Tokens in a row. */
  readonly length: number;
  /**
   * All positions are below this; default: `length`. It is larger in a decoding step, which looks
   * back. Rotary tables are made for it.
   */
  readonly contextLength?: number;
  /** `training` applies dropout, unless `withoutDropout` is set. */
  readonly mode: 'training' | 'evaluation' | 'inference';
  /** Set where a method trains without dropout, whatever an adapter has: ask `hasDropout`. */
  readonly withoutDropout?: true;
  /** int32 [batchSize, length]. */
  readonly positions: Value;
  /**
   * int32 [batchSize, length]: which packed sample a token belongs to, 0 for padding; undefined
   * where every row is one sample, padded on the right.
   */
  readonly segments?: Value;
  /** Set while decoding: what earlier tokens left for attention. */
  readonly cache?: AttentionCache;
  /**
   * A batch tensor by name (`inputIds`, `labels`, or what an onBatch tap added), as an input of the
   * graph.
   */
  input(name: string): Value;
  /**
   * A keep mask (uint8, 1 = keep) of a dropout site: fed at every run from the counter-based
   * generator. Same name, same mask.
   */
  dropoutMask(site: string, shape: Shape, probability: number): Value;
}

/** Whether dropout is applied in a trace. */
export function hasDropout({ mode, withoutDropout }: Trace): boolean {
  return mode === 'training' && withoutDropout !== true;
}

/**
 * Keys and values of the tokens before these in one layer: place j of a row holds its token of
 * position j. Each row has its own number of them.
 */
export interface LayerCache {
  /** [batchSize, numKeyValueHeads, size, headDim] */
  readonly keys: Value;
  /** Like keys. */
  readonly values: Value;
  /** int32 [batchSize]: places that are filled; the others hold anything finite. */
  readonly lengths: Value;
  /**
   * Set in a decoding step of one new token per row: attention passes it keys and values with the new
   * token in them, the cache of the next step.
   */
  readonly update?: (keys: Value, values: Value) => void;
}

/** The cache of the tokens before these, and a function that stores these for later tokens. */
export interface AttentionCache {
  /** Undefined where nothing came before. */
  layer(layer: number): LayerCache | undefined;
  /**
   * Takes the new tokens' keys (rotated) and values, both [batchSize, length, numKeyValueHeads,
   * headDim].
   */
  keep(layer: number, k: Value, v: Value): void;
}
