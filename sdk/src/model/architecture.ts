// An architecture's figures and its linear layers, in one vocabulary for all families. No weights.

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
  /** Outputs of a classifier's head; undefined for a language model. */
  readonly labels?: number;
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
