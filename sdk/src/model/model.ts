// A model: configuration, weights (references), tokenizer, and named building functions over the
// graph. It is one object from its first phase to its last; what changes it is in wrap.ts,
// reshape-model.ts and replace-linears.ts.
import type { ModelWeight } from '../graph/index.ts';
import type { Tokenizer } from '../tokenizer.ts';
import type { Architecture, LinearLayer } from './architecture.ts';
import type { BuildingFunctions } from './building-functions.ts';
import type { LinearClaim } from './claims.ts';
import type { TrainingMethod } from './method.ts';
import type { Adapter, Parameter } from './parameter.ts';
import type { Wrap } from './wrap.ts';

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
