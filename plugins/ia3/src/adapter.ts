// The adapter itself: its parameters, what it adds to a weight, and its files. No graph here: see
// apply.ts.
import type { Adapter, LinearLayer, Model, Parameter } from '@lmflow/sdk/model';
import { shortestNames } from '@lmflow/sdk/peft';
import { weightDelta, type Ia3Vector } from './vector.ts';

/** The vectors of a model's linears. */
export class Ia3Adapter implements Adapter {
  readonly name = 'ia3';
  /** By the names of the linears. */
  readonly vectors: ReadonlyMap<string, Ia3Vector>;
  readonly #model: Model;

  constructor(model: Model, vectors: readonly Ia3Vector[]) {
    this.#model = model;
    this.vectors = new Map(vectors.map((vector) => [vector.layer.name, vector]));
  }

  get parameters(): readonly Parameter[] {
    return [...this.vectors.values()].map(({ parameter }) => parameter);
  }

  get signature(): string {
    return JSON.stringify([...this.vectors].map(([name, { input }]) => [name, input]));
  }

  /** For the plan: `IA3 (6 linears)`. */
  get method(): string {
    return `IA3 (${this.vectors.size} linear${this.vectors.size === 1 ? '' : 's'})`;
  }

  save(): ReturnType<Adapter['save']> {
    return {
      config: this.#config(),
      tensors: new Map(
        this.parameters.map(({ name, shape, data }) => [
          `base_model.model.${name}`,
          { shape, data },
        ]),
      ),
    };
  }

  delta(weight: string, base: Float32Array): Float32Array | undefined {
    for (const vector of this.vectors.values()) {
      const { layer, input, parameter } = vector;
      if (layer.weight === weight) return weightDelta(vector, base);
      if (layer.bias === weight && !input) {
        return base.map((number, index) => number * (parameter.data[index]! - 1));
      }
    }
    return undefined;
  }

  /** The keys of PEFT's first releases: later ones make old versions fail. */
  #config(): Record<string, unknown> {
    const vectors = [...this.vectors.values()];
    const [inputs, outputs] = [true, false].map((kind) =>
      vectors.filter(({ input }) => input === kind).map(({ layer }) => layer),
    ) as [LinearLayer[], LinearLayer[]];
    const feedforward = this.#feedforwardNames(inputs, outputs);
    return {
      auto_mapping: null,
      base_model_name_or_path: this.#model.source,
      fan_in_fan_out: vectors.some(({ layer }) => layer.layout === 'in-out'),
      feedforward_modules: feedforward,
      inference_mode: true,
      init_ia3_weights: true,
      modules_to_save: null,
      peft_type: 'IA3',
      revision: this.#model.revision ?? null,
      target_modules: [...shortestNames(this.#model.linears, outputs), ...feedforward].sort(),
      task_type: 'CAUSAL_LM',
    };
  }

  // PEFT takes a name of feedforward_modules for the end of a path, wherever in a word it begins
  #feedforwardNames(inputs: readonly LinearLayer[], outputs: readonly LinearLayer[]): string[] {
    const short = shortestNames(this.#model.linears, inputs);
    const taken = outputs.some(({ name }) => short.some((ending) => name.endsWith(ending)));
    return taken ? inputs.map(({ name }) => name) : short;
  }
}
