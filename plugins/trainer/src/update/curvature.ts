// Runs an optimizer's estimate of the curvature over all parameters, in chunks like the update. The
// optimizer defines the estimate.
import type { Curvature, Engine } from '@lmflow/sdk';
import type { Parameter } from '@lmflow/sdk/model';
import { Graph, sizeOf } from '@lmflow/sdk/graph';
import { Chunks, numbersOf } from './chunks.ts';
import { nextOf } from './elementwise.ts';
import type { ParameterState } from './optimizer-state.ts';
import { stateInput, updateValues } from './update-graph.ts';

/** Summed gradients of parameters. */
export interface SummedGradients {
  readonly parameters: Iterable<Parameter>;
  /** By parameter name. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** The factor of a summed gradient: 1 / weight, and the clipping. */
  readonly gradientScale: number;
}

/** Gradients of the loss with labels drawn from the model. */
export interface EstimateRequest extends SummedGradients {
  /** The weight of the batches that the gradients were summed over. */
  readonly weight: number;
}

export class Estimator {
  readonly #curvature: Curvature;
  readonly #chunks: Chunks;

  /** `optim` is the optimizer's name, for profiles. */
  constructor(curvature: Curvature, engine: Engine, optim: string) {
    this.#curvature = curvature;
    this.#chunks = new Chunks(engine, `curvature of ${optim}`, (tensors, size) =>
      this.#build(tensors, size),
    );
  }

  isDue(step: number): boolean {
    return (step - 1) % this.#curvature.every === 0;
  }

  /** Changes the state of every parameter that has a gradient. */
  async estimate(
    { parameters, gradients, gradientScale, weight }: EstimateRequest,
    stateOf: (parameter: Parameter) => Promise<ParameterState>,
  ): Promise<void> {
    const scalars = { ...this.#curvature.scalars({ weight }), gradientScale };
    for (const parameter of parameters) {
      const gradient = gradients.get(parameter.name);
      if (!gradient) continue;
      const { tensors } = await stateOf(parameter);
      const state = this.#curvature.state.map(
        (name) => [stateInput(name), numbersOf(tensors[name]!.data)] as const,
      );
      await this.#chunks.add({
        length: sizeOf(parameter.shape),
        tensors: { gradient: numbersOf(gradient), ...Object.fromEntries(state) },
        scalars,
      });
    }
    await this.#chunks.finish();
  }

  async dispose(): Promise<void> {
    await this.#chunks.dispose();
  }

  #build(tensors: readonly string[], size: number): Graph {
    const graph = new Graph();
    const values = updateValues(
      graph,
      Object.fromEntries(tensors.map((name) => [name, [size]])),
      Object.keys(this.#curvature.scalars({ weight: 1 })),
    );
    for (const [name, value] of Object.entries(this.#curvature.update(values))) {
      graph.output(nextOf(stateInput(name)), value);
    }
    return graph;
  }
}
