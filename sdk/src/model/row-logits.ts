// Logits of whole rows of tokens, computed by an engine: to compare models, and for perplexities.
// Decoding, with a cache: plugin generate.
import type { Engine, Program, Tensor } from '../engine.ts';
import { forward } from './forward.ts';
import { Graph, type Value } from '../graph/index.ts';
import type { Model } from './model.ts';
import { parameterInput, parametersOf } from './parameter.ts';
import { loadParameter } from './parameter-storage.ts';
import type { Trace } from './model.ts';

/** Runs a model on rows, one at a time. A program is kept until a row of another length comes. */
export class RowLogits {
  readonly #engine: Engine;
  readonly #model: Model;
  #length = -1;
  #program: Program | undefined;
  #parameters: Record<string, Tensor> = {};

  constructor(engine: Engine, model: Model) {
    this.#engine = engine;
    this.#model = model;
  }

  /**
   * Logits [ids.length, vocabularySize] of a row from position 0. The model is traced as it
   * computes when a length comes for the first time.
   */
  async of(ids: Int32Array): Promise<Float32Array> {
    if (ids.length !== this.#length) await this.#compile(ids.length);
    const shape = [1, ids.length];
    const inputs: Record<string, Tensor> = {
      inputIds: await this.#engine.upload(ids, shape, 'int32'),
      positions: await this.#engine.upload(Int32Array.from(ids.keys()), shape, 'int32'),
    };
    const { logits } = await this.#program!.run({ ...inputs, ...this.#parameters });
    const numbers = Float32Array.from((await logits!.read()) as Float32Array);
    for (const tensor of [logits!, ...Object.values(inputs)]) tensor.dispose();
    return numbers;
  }

  async dispose(): Promise<void> {
    for (const tensor of Object.values(this.#parameters)) tensor.dispose();
    await this.#program?.dispose();
    [this.#length, this.#program, this.#parameters] = [-1, undefined, {}];
  }

  async #compile(length: number): Promise<void> {
    await this.dispose();
    const graph = new Graph();
    const input = (name: string): Value => graph.input(name, 'int32', [1, length]);
    const trace: Trace = {
      graph,
      model: this.#model,
      batchSize: 1,
      length,
      mode: 'inference',
      input,
      positions: input('positions'),
      dropoutMask: () => {
        throw new Error('there is no dropout in inference');
      },
    };
    graph.output('logits', this.#model.build.logits(trace, forward(trace)));
    this.#program = await this.#engine.compile(graph, { name: 'logits' });
    // Weights that an adapter brings whole, and those of an adapter by name, are inputs.
    for (const name of parametersOf(graph)) {
      const parameter = this.#model.parameters.get(name)!;
      const data = await loadParameter(parameter);
      this.#parameters[parameterInput(name)] = await this.#engine.upload(
        data,
        parameter.shape,
        'float32',
      );
    }
    this.#length = length;
  }
}

/** log(sum(e^x)), in float64. */
export function logSumExp(numbers: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let index = 0; index < numbers.length; index++) {
    if (numbers[index]! > largest) largest = numbers[index]!;
  }
  let sum = 0;
  for (let index = 0; index < numbers.length; index++) sum += Math.exp(numbers[index]! - largest);
  return largest + Math.log(sum);
}
