// The adapter itself: its parameters, what it adds to a weight, and its files. No graph here: see
// apply.ts.
import { createHash } from 'node:crypto';
import type { Adapter, Model, Parameter } from '@lmflow/sdk/model';
import { shortestNames } from '@lmflow/sdk/peft';
import type { VeraOptions } from './options.ts';
import type { Projection } from './projection.ts';
import { weightDelta, type VeraVectors } from './vectors.ts';

/** Settings that are kept with an adapter. */
export type VeraSettings = Pick<VeraOptions, 'veraDropout' | 'dInitial' | 'projectionPrngKey'>;

/** The vectors of a model's linears, and the matrices that they share. */
export class VeraAdapter implements Adapter {
  readonly name = 'vera';
  /** By the names of the linears. */
  readonly vectors: ReadonlyMap<string, VeraVectors>;
  readonly projection: Projection;
  readonly settings: VeraSettings;
  readonly #model: Model;

  constructor(
    model: Model,
    vectors: readonly VeraVectors[],
    projection: Projection,
    settings: VeraSettings,
  ) {
    this.#model = model;
    this.vectors = new Map(vectors.map((one) => [one.layer.name, one]));
    this.projection = projection;
    this.settings = settings;
  }

  get parameters(): readonly Parameter[] {
    return [...this.vectors.values()].flatMap(({ b, d }) => [b, d]);
  }

  get signature(): string {
    const { a, b } = this.projection;
    const hash = createHash('sha256');
    for (const { buffer, byteOffset, byteLength } of [a, b]) {
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return JSON.stringify([[...this.vectors.keys()], hash.digest('hex')]);
  }

  /** For the plan: `VeRA (r 256, 4 linears)`. */
  get method(): string {
    const { size } = this.vectors;
    return `VeRA (r ${this.projection.rank}, ${size} linear${size === 1 ? '' : 's'})`;
  }

  save(): ReturnType<Adapter['save']> {
    const { rank, inFeatures, outFeatures, a, b } = this.projection;
    return {
      config: this.#config(),
      tensors: new Map([
        ['base_model.vera_A', { shape: [rank, inFeatures], data: a }],
        ['base_model.vera_B', { shape: [outFeatures, rank], data: b }],
        ...this.parameters.map(
          ({ name, shape, data }) => [`base_model.model.${name}`, { shape, data }] as const,
        ),
      ]),
    };
  }

  delta(weight: string): Float32Array | undefined {
    const vectors = [...this.vectors.values()].find(({ layer }) => layer.weight === weight);
    return vectors && weightDelta(vectors, this.projection);
  }

  #config(): Record<string, unknown> {
    const layers = [...this.vectors.values()].map(({ layer }) => layer);
    const { veraDropout, dInitial, projectionPrngKey } = this.settings;
    return {
      auto_mapping: null,
      base_model_name_or_path: this.#model.source,
      bias: 'none',
      d_initial: dInitial,
      fan_in_fan_out: layers.some(({ layout }) => layout === 'in-out'),
      inference_mode: true,
      init_weights: true,
      layers_pattern: null,
      layers_to_transform: null,
      modules_to_save: null,
      peft_type: 'VERA',
      projection_prng_key: projectionPrngKey,
      r: this.projection.rank,
      revision: this.#model.revision ?? null,
      save_projection: true,
      target_modules: shortestNames(this.#model.linears, layers),
      task_type: 'CAUSAL_LM',
      vera_dropout: veraDropout,
    };
  }
}
