// Runs an optimizer's estimate of the curvature over all parameters, in chunks as the update is.
// What the estimate is, is in optimizers/.
import type { Engine } from '@lmflow/sdk';
import type { Parameter } from '@lmflow/sdk/model';
import { Graph } from '@lmflow/sdk/graph';
import { Chunks, numbersOf } from './chunks.ts';
import { nextOf } from './elementwise.ts';
import type { Curvature, OptimizerArguments } from '../optimizer.ts';
import type { ParameterState } from './optimizer-state.ts';
import type { TrainerOptions } from '../options.ts';
import { stateInput, updateValues } from './update-graph.ts';

/** Summed gradients of parameters. */
export interface SummedGradients {
  readonly parameters: Iterable<Parameter>;
  /** By parameter name. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** What a summed gradient is multiplied by: 1 / weight, and the clipping. */
  readonly gradientScale: number;
}

/** Gradients of the loss with labels drawn from the model. */
export interface EstimateRequest extends SummedGradients {
  /** What the gradients were summed over. */
  readonly weight: number;
}

export class Estimator {
  readonly #curvature: Curvature;
  readonly #options: TrainerOptions;
  readonly #arguments: OptimizerArguments;
  readonly #chunks: Chunks;
  /** Steps that an estimate serves. */
  readonly #every: number;

  constructor(
    curvature: Curvature,
    engine: Engine,
    options: TrainerOptions,
    given: OptimizerArguments,
  ) {
    this.#curvature = curvature;
    this.#options = options;
    this.#arguments = given;
    this.#every = Number(given[curvature.every]);
    this.#chunks = new Chunks(engine, `curvature of ${options.optim}`, (tensors, size) =>
      this.#build(tensors, size),
    );
  }

  isDue(step: number): boolean {
    return (step - 1) % this.#every === 0;
  }

  /** Changes the state of every parameter that has a gradient. */
  async estimate(
    { parameters, gradients, gradientScale, weight }: EstimateRequest,
    stateOf: (parameter: Parameter) => ParameterState,
  ): Promise<void> {
    const scalars = { ...this.#scalars(weight), gradientScale };
    for (const parameter of parameters) {
      const gradient = gradients.get(parameter.name);
      if (!gradient) continue;
      const state = this.#curvature.state.map(
        (name) => [stateInput(name), numbersOf(stateOf(parameter).tensors[name]!.data)] as const,
      );
      await this.#chunks.add({
        length: parameter.data.length,
        tensors: { gradient: numbersOf(gradient), ...Object.fromEntries(state) },
        scalars,
      });
    }
    await this.#chunks.finish();
  }

  async dispose(): Promise<void> {
    await this.#chunks.dispose();
  }

  #scalars(weight: number): Readonly<Record<string, number>> {
    return this.#curvature.scalars({ weight, options: this.#options, arguments: this.#arguments });
  }

  #build(tensors: readonly string[], size: number): Graph {
    const graph = new Graph();
    const values = updateValues(
      graph,
      Object.fromEntries(tensors.map((name) => [name, [size]])),
      Object.keys(this.#scalars(1)),
      this.#arguments,
    );
    for (const [name, value] of Object.entries(this.#curvature.update(values))) {
      graph.output(nextOf(stateInput(name)), value);
    }
    return graph;
  }
}
