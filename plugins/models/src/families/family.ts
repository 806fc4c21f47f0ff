// What a model family is: data that says where its config.json and its tensors differ from the
// others. What they share is in blueprint.ts.
import { registry, type Rows } from '@lmflow/sdk';
import type { ConfigReader } from '../architecture/config.ts';

/** Keys of config.json. */
export interface ConfigKeys {
  readonly hiddenSize: string;
  readonly intermediateSize: string;
  readonly numLayers: string;
  readonly numHeads: string;
  readonly maxPositions: string;
  readonly normEpsilon: string;
  readonly activation: string;
}

/** What transformers' configuration class has where config.json says nothing. */
export interface ConfigDefaults {
  /** What is left out here has to be in config.json. */
  readonly hiddenSize?: number;
  readonly intermediateSize?: number;
  readonly numLayers?: number;
  readonly numHeads?: number;
  readonly vocabularySize?: number;
  /** undefined: as many as heads. */
  readonly numKeyValueHeads?: number;
  /** undefined: hiddenSize / heads. */
  readonly headDim?: number;
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly activation: string;
  readonly ropeTheta: number;
  readonly tiedEmbeddings: boolean;
  /** The MLP's width over hiddenSize, where config.json need not give it. */
  readonly intermediateFactor?: number;
}

/** Module paths. Those of a block follow `block(layer)` and a dot. */
export interface ModuleNames {
  /** What a checkpoint of the bare model leaves out: `model.`. */
  readonly prefix: string;
  readonly embedding: string;
  /** Learned positions. */
  readonly positions?: string;
  readonly finalNorm: string;
  readonly head: string;
  block(layer: number): string;
  readonly attentionNorm: string;
  /** Query, key and value: three linears, or one whose outputs lie one after the other. */
  readonly attention: readonly [string, string, string] | readonly [string];
  /** Norms over each head of q and k. */
  readonly headNorms?: readonly [string, string];
  readonly attentionOutput: string;
  readonly mlpNorm: string;
  /** Where the MLP is gated. */
  readonly gate?: string | undefined;
  readonly up: string;
  readonly down: string;
}

/** Which linears of a block have a bias. */
export interface Biases {
  readonly attention: boolean;
  readonly attentionOutput: boolean;
  readonly mlp: boolean;
}

/** A setting that changes what is computed in a way this family does not have here. */
export interface Refusal {
  readonly key: string;
  readonly harmless: readonly unknown[];
  readonly reason: string;
}

/** A row of the table of families. */
export interface ModelFamily {
  /** `model_type` of config.json. */
  readonly name: string;
  /** Classes in config.json's `architectures` that this is. */
  readonly classes: readonly string[];
  readonly keys: ConfigKeys;
  readonly defaults: ConfigDefaults;
  readonly names: ModuleNames;
  readonly norm: 'rms' | 'layer';
  readonly positions: 'rotary' | 'learned';
  /** How its linears are stored. The head is always `out-in`. */
  readonly layout: 'out-in' | 'in-out';
  biases(config: ConfigReader): Biases;
  /** Sliding window of each layer; left out where the family has none. */
  windows?(config: ConfigReader, layers: number): (number | undefined)[];
  /** Factor of the attention scores; left out: 1 / sqrt(headDim). */
  attentionScale?(config: ConfigReader, layer: number, headDim: number): number;
  readonly refusals: readonly Refusal[];
  /** Tensors of old checkpoints that carry nothing (buffers). */
  readonly ignored: readonly RegExp[];
}

/** What is read of the table of families. */
export type ModelFamilies = Pick<Rows<ModelFamily>, 'get' | 'names'>;

/** The families of a kernel: a plugin adds one with `context.contribute(MODEL_FAMILIES, row)`. */
export const MODEL_FAMILIES = registry<ModelFamily>(
  '@lmflow/plugin-models:families',
  'model family',
  '@lmflow/plugin-models',
);
