// One trace of a model into a graph: what building functions get, and the cache of a decoding step.
import type { Graph, Shape, Value } from '../graph/index.ts';
import type { Model } from './model.ts';

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
