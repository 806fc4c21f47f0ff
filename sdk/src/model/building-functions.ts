// The named functions that a model is made of. The models plugin has them; plugins replace them with
// wrap().
import type { Value } from '../graph/index.ts';
import type { LinearLayer } from './architecture.ts';
import type { LayerCache, Trace } from './trace.ts';

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
