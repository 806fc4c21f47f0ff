// Runs an optimizer over all parameters and keeps its state. What the update is, is in optimizers.ts.
import type { Engine, Parameter, Program } from '@lmflow/sdk';
import { Graph, mul, sizeOf, type Shape, type Value } from '@lmflow/sdk/graph';
import { fuse, nextOf, type FusedLoop } from './fuse.ts';
import type { Optimizer } from './optimizers.ts';
import type { TrainerOptions } from './options.ts';

interface ParameterState {
  /** Updates done. */
  step: number;
  readonly tensors: Readonly<Record<string, { readonly shape: Shape; readonly data: Float32Array }>>;
}

/** How a parameter of one shape is updated. */
interface Route { readonly loop?: FusedLoop; readonly program?: Program }

export type StateTensors = Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

export interface UpdateRequest {
  readonly parameters: Iterable<Parameter>;
  /** Summed gradients by parameter name. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** What a summed gradient is multiplied by: 1 / weight, and the clipping. */
  readonly gradientScale: number;
  readonly learningRate: number;
}

export class Updater {
  readonly #optimizer: Optimizer;
  readonly #engine: Engine;
  readonly #options: TrainerOptions;
  readonly #states = new Map<string, ParameterState>();
  readonly #routes = new Map<string, Route>();

  constructor(optimizer: Optimizer, engine: Engine, options: TrainerOptions) {
    this.#optimizer = optimizer;
    this.#engine = engine;
    this.#options = options;
  }

  /** Updates every parameter that has a gradient, in place. */
  async apply({ parameters, gradients, gradientScale, learningRate }: UpdateRequest): Promise<void> {
    for (const parameter of parameters) {
      const gradient = gradients.get(parameter.name);
      if (!gradient) continue;
      const state = this.#stateOf(parameter);
      state.step++;
      const scalars = { ...this.#optimizer.scalars(this.#facts(parameter, state.step, learningRate)), gradientScale };
      const arrays: Record<string, Float32Array> = { parameter: parameter.data, gradient };
      for (const [name, { data }] of Object.entries(state.tensors)) arrays[`state:${name}`] = data;
      const { loop, program } = await this.#route(parameter);
      if (loop) loop(arrays, scalars);
      else await this.#run(program!, parameter.shape, state, arrays, scalars);
    }
  }

  /** Bytes of state for parameters that are not yet updated too. */
  stateBytes(parameters: Iterable<Parameter>): number {
    let bytes = 0;
    for (const parameter of parameters) for (const shape of Object.values(this.#optimizer.state(parameter))) bytes += 4 * sizeOf(shape);
    return bytes;
  }

  /** Everything an exact resume needs: `<parameter>.<state>` and `<parameter>.step`. */
  save(): StateTensors {
    const tensors: StateTensors = new Map();
    for (const [name, state] of this.#states) {
      tensors.set(`${name}.step`, { shape: [], data: Float32Array.of(state.step) });
      for (const [kept, tensor] of Object.entries(state.tensors)) tensors.set(`${name}.${kept}`, tensor);
    }
    return tensors;
  }

  /** Puts saved state back; gives the names of tensors that are missing or of another size. */
  restore(parameters: Iterable<Parameter>, saved: ReadonlyMap<string, { readonly data: Float32Array }>): string[] {
    const missing: string[] = [];
    for (const parameter of parameters) {
      const step = saved.get(`${parameter.name}.step`);
      if (!step) continue; // never updated before the checkpoint
      const state = this.#stateOf(parameter);
      state.step = step.data[0]!;
      for (const [kept, { data }] of Object.entries(state.tensors)) {
        const found = saved.get(`${parameter.name}.${kept}`);
        if (found?.data.length === data.length) data.set(found.data); else missing.push(`${parameter.name}.${kept}`);
      }
    }
    return missing;
  }

  async dispose(): Promise<void> {
    for (const { program } of this.#routes.values()) await program?.dispose();
    this.#routes.clear();
    this.#states.clear();
  }

  #facts(parameter: Parameter, step: number, learningRate: number): Parameters<Optimizer['scalars']>[0] {
    return {
      step, options: this.#options, learningRate: learningRate * (parameter.learningRateScale ?? 1),
      weightDecay: parameter.decay ? this.#options.weightDecay : 0,
    };
  }

  #stateOf(parameter: Parameter): ParameterState {
    const known = this.#states.get(parameter.name);
    if (known) return known;
    const shapes = Object.entries(this.#optimizer.state(parameter));
    const state = { step: 0, tensors: Object.fromEntries(shapes.map(([name, shape]) => [name, { shape, data: new Float32Array(sizeOf(shape)) }])) };
    this.#states.set(parameter.name, state);
    return state;
  }

  async #route(parameter: Parameter): Promise<Route> {
    const key = parameter.shape.join();
    const known = this.#routes.get(key);
    if (known) return known;
    const graph = this.#build(parameter);
    const loop = fuse(graph);
    const route = loop ? { loop } : { program: await this.#engine.compile(graph, { name: `${this.#optimizer.name} [${key}]` }) };
    this.#routes.set(key, route);
    return route;
  }

  #build(parameter: Parameter): Graph {
    const graph = new Graph();
    const tensor = (name: string, shape: Shape): Value => graph.input(name, 'float32', shape);
    const state = Object.fromEntries(Object.entries(this.#optimizer.state(parameter)).map(([name, shape]) => [name, tensor(`state:${name}`, shape)]));
    const names = Object.keys(this.#optimizer.scalars(this.#facts(parameter, 1, 0)));
    const scalars = Object.fromEntries(names.map((name) => [name, tensor(name, [])]));
    const values = {
      parameter: tensor('parameter', parameter.shape), gradient: mul(tensor('gradient', parameter.shape), tensor('gradientScale', [])), state, scalars,
    };
    const next = this.#optimizer.update(values);
    graph.output(nextOf('parameter'), next.parameter);
    for (const [name, value] of Object.entries(next.state)) graph.output(nextOf(`state:${name}`), value);
    return graph;
  }

  async #run(program: Program, shape: Shape, state: ParameterState, arrays: Readonly<Record<string, Float32Array>>, scalars: Readonly<Record<string, number>>): Promise<void> {
    const inputs: Record<string, Awaited<ReturnType<Engine['upload']>>> = {};
    for (const [name, data] of Object.entries(arrays)) {
      const kept = name.startsWith('state:') ? state.tensors[name.slice('state:'.length)]!.shape : shape;
      inputs[name] = await this.#engine.upload(data, kept, 'float32');
    }
    for (const [name, scalar] of Object.entries(scalars)) inputs[name] = await this.#engine.upload(Float32Array.of(scalar), [], 'float32');
    const results = await program.run(inputs);
    for (const [name, data] of Object.entries(arrays)) {
      const result = results[nextOf(name)];
      if (result) data.set((await result.read()) as Float32Array);
      result?.dispose();
    }
    for (const input of Object.values(inputs)) input.dispose();
  }
}
