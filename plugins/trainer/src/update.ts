// Runs an optimizer over all parameters and keeps its state. What the update is, is in optimizers/.
import type { Engine, Parameter, Program } from '@lmflow/sdk';
import { Graph, mul, type Shape, type Value } from '@lmflow/sdk/graph';
import { fuse, nextOf, type FusedLoop } from './fuse.ts';
import { optimizerArguments, type Optimizer, type OptimizerArguments } from './optimizer.ts';
import type { TrainerOptions } from './options.ts';
import { newState, restoreState, saveState, stateBytes, type ParameterState, type SavedTensors, type StateTensors } from './optimizer-state.ts';

/** How a parameter of one shape is updated. */
interface Route { readonly loop?: FusedLoop; readonly program?: Program }

/** State in 8 bits is updated in pieces of so many numbers, through buffers of float32: a multiple of its block. */
const PIECE = 1 << 15;

export interface UpdateRequest {
  readonly parameters: Iterable<Parameter>;
  /** Summed gradients by parameter name. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** What a summed gradient is multiplied by: 1 / weight, and the clipping. */
  readonly gradientScale: number;
  readonly learningRate: number;
}

type Arrays = Record<string, Float32Array>;

export class Updater {
  readonly #optimizer: Optimizer;
  readonly #engine: Engine;
  readonly #options: TrainerOptions;
  readonly #arguments: OptimizerArguments;
  readonly #states = new Map<string, ParameterState>();
  readonly #routes = new Map<string, Route>();
  #settled = false;

  /** Throws LMFLOW_CONFIG_OPTIMIZER_ARGUMENT. */
  constructor(optimizer: Optimizer, engine: Engine, options: TrainerOptions) {
    this.#optimizer = optimizer;
    this.#engine = engine;
    this.#options = options;
    this.#arguments = optimizerArguments(optimizer, options);
  }

  /** Updates every parameter that has a gradient, in place. The state of one that is not active is dropped. */
  async apply({ parameters, gradients, gradientScale, learningRate }: UpdateRequest): Promise<void> {
    for (const parameter of parameters) {
      if (parameter.active === false) this.#states.delete(parameter.name);
      const gradient = gradients.get(parameter.name);
      if (!gradient) continue;
      const state = this.#stateOf(parameter);
      state.step++;
      const scalars = { ...this.#optimizer.scalars(this.#facts(parameter, state, learningRate)), gradientScale };
      const arrays: Arrays = { parameter: parameter.data, gradient };
      for (const [name, { data }] of Object.entries(state.tensors)) arrays[`state:${name}`] = data;
      const { loop, program } = await this.#route(parameter);
      const update = async (given: Arrays): Promise<void> => { if (loop) loop(given, scalars); else await this.#run(program!, parameter.shape, state, given, scalars); };
      if (Object.keys(state.eightBit).length > 0) await inPieces(loop ? PIECE : parameter.data.length, state, arrays, update);
      else await update(arrays);
    }
  }

  /** Bytes of state for active parameters that are not yet updated too. */
  stateBytes(parameters: Iterable<Parameter>): number {
    let bytes = 0;
    for (const parameter of parameters) if (parameter.active !== false) bytes += stateBytes(this.#optimizer, parameter, this.#arguments);
    return bytes;
  }

  /**
   * Runs `use` while the parameters hold the weights to evaluate and save, where the optimizer has others to train, and puts those back.
   * `changed` is called after each change.
   */
  async withEvaluationWeights<T>(parameters: Iterable<Parameter>, changed: () => void, use: () => Promise<T>): Promise<T> {
    const putBack = this.#exchange(parameters, changed);
    try {
      return await use();
    } finally {
      putBack();
    }
  }

  /** Training is over: from now on the parameters hold the weights to evaluate and save. */
  settle(parameters: Iterable<Parameter>, changed: () => void): void {
    this.#exchange(parameters, changed);
    this.#settled = true;
  }

  #exchange(parameters: Iterable<Parameter>, changed: () => void): () => void {
    const { evaluationWeights } = this.#optimizer;
    if (!evaluationWeights || this.#settled) return () => undefined;
    const states = [...parameters].flatMap(({ name, data }) => { const state = this.#states.get(name); return state ? [{ data, state }] : []; });
    for (const { data, state } of states) {
      state.trained = data.slice();
      data.set(evaluationWeights(data, Object.fromEntries(Object.entries(state.tensors).map(([name, tensor]) => [name, tensor.data])), this.#options));
    }
    changed();
    return () => {
      for (const { data, state } of states) {
        data.set(state.trained!);
        state.trained = undefined;
      }
      changed();
    };
  }

  /** Everything an exact resume needs: `<parameter>.<state>` and `<parameter>.step`. */
  save(): StateTensors {
    const tensors: StateTensors = new Map();
    for (const [name, state] of this.#states) for (const [key, tensor] of saveState(state)) tensors.set(`${name}.${key}`, tensor);
    return tensors;
  }

  /** Puts saved state back; gives the names of tensors that are missing or of another size. */
  restore(parameters: Iterable<Parameter>, saved: SavedTensors): string[] {
    const missing: string[] = [];
    for (const parameter of parameters) {
      if (!saved.has(`${parameter.name}.step`)) continue; // never updated before the checkpoint
      const wanted = this.#optimizer.evaluationWeights !== undefined;
      const absent = restoreState(this.#stateOf(parameter), (key) => saved.get(`${parameter.name}.${key}`)?.data, wanted ? parameter.data : undefined);
      missing.push(...absent.map((key) => `${parameter.name}.${key}`));
    }
    return missing;
  }

  async dispose(): Promise<void> {
    for (const { program } of this.#routes.values()) await program?.dispose();
    this.#routes.clear();
    this.#states.clear();
  }

  #facts(parameter: Parameter, { step, numbers }: Pick<ParameterState, 'step' | 'numbers'>, learningRate: number): Parameters<Optimizer['scalars']>[0] {
    return {
      step, numbers, parameter, options: this.#options, arguments: this.#arguments, learningRate: learningRate * (parameter.learningRateScale ?? 1),
      weightDecay: parameter.decay ? this.#options.weightDecay : 0,
    };
  }

  #stateOf(parameter: Parameter): ParameterState {
    const known = this.#states.get(parameter.name);
    if (known) return known;
    const state = newState(this.#optimizer, parameter, this.#arguments);
    this.#states.set(parameter.name, state);
    return state;
  }

  async #route(parameter: Parameter): Promise<Route> {
    const key = `${parameter.shape.join()} ${Object.keys(this.#optimizer.state(parameter, this.#arguments)).join()}`;
    const known = this.#routes.get(key);
    if (known) return known;
    const graph = this.#build(parameter);
    const loop = fuse(graph);
    const route = loop ? { loop } : { program: await this.#engine.compile(graph, { name: `${this.#optimizer.name} [${parameter.shape.join()}]` }) };
    this.#routes.set(key, route);
    return route;
  }

  #build(parameter: Parameter): Graph {
    const graph = new Graph();
    const tensor = (name: string, shape: Shape): Value => graph.input(name, 'float32', shape);
    const state = Object.fromEntries(Object.entries(this.#optimizer.state(parameter, this.#arguments)).map(([name, shape]) => [name, tensor(`state:${name}`, shape)]));
    const names = Object.keys(this.#optimizer.scalars(this.#facts(parameter, { step: 1, numbers: { ...this.#optimizer.numbers } }, 0)));
    const scalars = Object.fromEntries(names.map((name) => [name, tensor(name, [])]));
    const values = {
      parameter: tensor('parameter', parameter.shape), gradient: mul(tensor('gradient', parameter.shape), tensor('gradientScale', [])), state, scalars, arguments: this.#arguments,
    };
    const next = this.#optimizer.update(values);
    graph.output(nextOf('parameter'), next.parameter);
    for (const [name, value] of Object.entries(next.state)) graph.output(nextOf(`state:${name}`), value);
    return graph;
  }

  async #run(program: Program, shape: Shape, state: ParameterState, arrays: Readonly<Record<string, Float32Array>>, scalars: Readonly<Record<string, number>>): Promise<void> {
    const inputs: Record<string, Awaited<ReturnType<Engine['upload']>>> = {};
    for (const [name, data] of Object.entries(arrays)) {
      const kept = name.startsWith('state:') ? state.tensors[name.slice('state:'.length)]?.shape ?? shape : shape;
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

/** Updates piece after piece, with the state in 8 bits as float32 on the way. */
async function inPieces(size: number, { eightBit }: ParameterState, arrays: Arrays, update: (arrays: Arrays) => Promise<void>): Promise<void> {
  const { length } = arrays['parameter']!;
  const buffers = Object.entries(eightBit).map(([name, tensor]) => ({ key: `state:${name}`, tensor, buffer: new Float32Array(Math.min(size, length)) }));
  for (let start = 0; start < length; start += size) {
    const end = Math.min(start + size, length);
    const piece: Arrays = Object.fromEntries(Object.entries(arrays).map(([name, data]) => [name, data.subarray(start, end)]));
    for (const { key, tensor, buffer } of buffers) tensor.read(start, piece[key] = buffer.subarray(0, end - start));
    await update(piece);
    for (const { key, tensor } of buffers) tensor.write(start, piece[key]!);
  }
}
