// A model: configuration, weights (references), tokenizer, and named building functions over the
// graph, which plugins wrap.
import type { Graph, ModelWeight, Shape, Value } from '../graph/index.ts';
import type { Tokenizer } from '../tokenizer.ts';

/**
 * What a model is for in a method: trained (policy), compared with, scoring, or proposing tokens.
 */
export type ModelRole = 'policy' | 'reference' | 'reward' | 'draft';

/** Which model to load and for what; taps of `onModelLoad` see it. */
export interface ModelRequest {
  readonly role: ModelRole;
  /** Folder, or Hugging Face id. */
  readonly source: string;
  /** Branch, tag or commit of a Hugging Face id. */
  readonly revision?: string;
  /** What it is loaded for: training plugins declare parameters only for `training`. */
  readonly purpose: 'training' | 'inference';
  readonly signal?: AbortSignal;
}

/** An architecture's figures in one vocabulary for all families. */
export interface Architecture {
  /** `model_type` of config.json. */
  readonly family: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly vocabularySize: number;
  /** Longest sequence the checkpoint was made for. */
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly tiedEmbeddings: boolean;
  /** Sliding window of attention in tokens, where the model has one. */
  readonly window?: number;
  /** The window of each layer (undefined: all tokens before), where they differ. */
  readonly layerWindows?: readonly (number | undefined)[];
  /** Rotary embedding; undefined for learned positions. */
  readonly rope?: RopeConfig;
}

/** Rotary position embedding as config.json has it. */
export interface RopeConfig {
  readonly theta: number;
  /** Dimensions of a head that are rotated. */
  readonly dimensions: number;
  /**
   * `default`, `linear`, `dynamic`, `yarn`, `llama3`, with the parameters of config.json's
   * rope_scaling.
   */
  readonly scaling: Readonly<Record<string, unknown>> & { readonly type: string };
}

/**
 * What a linear layer is, for adapters and quantizers. `y = x W^T (+ b)`, whatever the file's
 * layout.
 */
export interface LinearLayer {
  /** Module path, as in the checkpoint: `model.layers.0.self_attn.q_proj`. */
  readonly name: string;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Name of the weight: `<name>.weight`. */
  readonly weight: string;
  readonly bias?: string;
  /**
   * How the file stores the weight: `out-in` (nn.Linear) or `in-out` (GPT-2's Conv1D; PEFT's
   * fan_in_fan_out).
   */
  readonly layout: 'out-in' | 'in-out';
  /** Index of the block, undefined for the head. */
  readonly layer?: number;
}

/** A trainable tensor. The trainer updates `data` in place. */
export interface Parameter {
  /** Name in the graph and in files, e.g. `model.layers.0.self_attn.q_proj.lora_A.weight`. */
  readonly name: string;
  readonly shape: Shape;
  readonly data: Float32Array;
  /** Whether weight decay applies (not to biases and norms). */
  readonly decay: boolean;
  /** Multiplies the learning rate (LoRA+). */
  readonly learningRateScale?: number;
  /**
   * false leaves it as it is in the steps to come: no gradient is computed, its optimizer state is
   * dropped (LISA sets it in onStepStart).
   */
  active?: boolean;
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
   * Positions lie below this (a decode step looks back further than it is long); `length` where
   * absent. Rotary tables are made for it.
   */
  readonly contextLength?: number;
  /** `training` applies dropout. */
  readonly mode: 'training' | 'evaluation' | 'inference';
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
   * Set in a decoding step, of one new token a row: attention gives it keys and values with the new
   * token in them, the cache of the next step.
   */
  readonly update?: (keys: Value, values: Value) => void;
}

/** The tokens before these, and who keeps these for the tokens after. */
export interface AttentionCache {
  /** Undefined where nothing came before. */
  layer(layer: number): LayerCache | undefined;
  /**
   * Takes the new tokens' keys (rotated) and values, both [batchSize, length, numKeyValueHeads,
   * headDim].
   */
  keep(layer: number, k: Value, v: Value): void;
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
 * trace first, so that a wrapper can call the rest: `const inner = model.build.project;
 * model.build.project = (trace, x, layers) => [...inner(trace, x, layers)]`.
 */
export interface BuildingFunctions {
  /** inputIds int32 [batchSize, length] -> hidden states. */
  embed: (trace: Trace, inputIds: Value) => Value;
  /** One transformer block, in its own region. */
  block: (trace: Trace, hidden: Value, layer: number) => Value;
  /** Normalisation by the weights under a module path. */
  norm: (trace: Trace, x: Value, name: string) => Value;
  /** [batchSize, length, numHeads, headDim] */
  attention: (trace: Trace, inputs: AttentionInputs) => Value;
  /** Rotates q or k [batchSize, length, heads, headDim]. */
  rope: (trace: Trace, x: Value) => Value;
  /**
   * cos and sin tables [length, dimensions / 2] for positions 0.., made by the position-scaling
   * method in force.
   */
  ropeTables: (trace: Trace) => {
    readonly cos: Float32Array;
    readonly sin: Float32Array;
    readonly length: number;
  };
  mlp: (trace: Trace, x: Value, layer: number) => Value;
  /**
   * Linears that share the input x [rows, inFeatures]; one result [rows, outFeatures] each, bias
   * included. Adapters wrap this.
   */
  project: (trace: Trace, x: Value, layers: readonly LinearLayer[]) => Value[];
  /** x W^T for a frozen or trained weight, without bias. Quantized computation wraps this. */
  matmul: (trace: Trace, x: Value, layer: LinearLayer) => Value;
  /** A weight's value: graph input where it is trained, constant in a file where it is frozen. */
  weight: (trace: Trace, name: string) => Value;
  head: (trace: Trace, hidden: Value) => HeadOutput;
  /**
   * Logits [rows, vocabularySize] of rows of the head's hidden states. For inference alone: losses
   * multiply by the head's weight in chunks.
   */
  logits: (trace: Trace, output: HeadOutput) => Value;
}

/** The part of an adapter that saving and merging need. */
export interface Adapter {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /**
   * Adapters of one model with equal signatures make the same programs, which are fed their
   * parameters.
   */
  readonly signature: string;
  /** Files of the adapter: config as JSON and tensors by their PEFT names. */
  save(): {
    readonly config: Readonly<Record<string, unknown>>;
    readonly tensors: ReadonlyMap<string, { shape: Shape; data: Float32Array }>;
  };
  /**
   * What merging adds to a base weight (`base`: its numbers), in float32 and the file's layout, or
   * undefined where it leaves it alone.
   */
  delta(weight: string, base: Float32Array): Float32Array | undefined;
}

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
  /** config.json as read; plugins that change the architecture change this too, and it is saved. */
  config: Record<string, unknown>;
  /** The phase `shape` of onModelLoad may put another in its place. */
  architecture: Architecture;
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
  /** Trainable tensors by name. A parameter named like a weight replaces it in the graph. */
  readonly parameters: Map<string, Parameter>;
  adapter?: Adapter;
  /**
   * This model with another adapter each, by name, for inference: a view that has parameters (fed)
   * and adapter of its own and shares everything else.
   */
  adapters?: ReadonlyMap<string, Model>;
  /** Of such a view: the model it is a view of. */
  readonly base?: Model;
  build: BuildingFunctions;
  /**
   * Reads a weight as float32 (converting 16-bit formats and packed ones), row-major in the file's
   * layout.
   */
  read(name: string): Promise<Float32Array>;
}

/** Loads a model and runs onModelLoad on it. */
export interface ModelLoader {
  load(request: ModelRequest): Promise<Model>;
}

/** How `ModelWriter.write` writes a folder. */
export interface ModelWriteOptions {
  /** Adds the adapter's delta to the weights it changes. */
  readonly mergeAdapter?: boolean;
  /** Largest file of a checkpoint, in bytes; larger ones are split into shards with an index. */
  readonly shardBytes?: number;
}

/**
 * Writes a whole model as a Hugging Face folder, in float32: weights (trained ones from
 * `model.parameters`), config, tokenizer.
 */
export interface ModelWriter {
  /**
   * Writes into an existing folder, file by file aside and renamed; gives the names of the files.
   */
  write(model: Model, directory: string, options?: ModelWriteOptions): Promise<readonly string[]>;
}
