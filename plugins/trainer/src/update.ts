// Runs an optimizer over all parameters and keeps its state. What the update is, is in optimizers/.
import type { Engine, Parameter, Program, Tensor } from '@lmflow/sdk';
import { Graph, mul, type Shape, type Value } from '@lmflow/sdk/graph';
import { Chunks, numbersOf, type Numbers } from './chunks.ts';
import { isElementwise, nextOf } from './elementwise.ts';
import { optimizerArguments, type Optimizer, type OptimizerArguments, type OptimizerUpdate, type UpdateValues } from './optimizer.ts';
import type { TrainerOptions } from './options.ts';
import { newState, restoreState, saveState, stateBytes, type ParameterState, type SavedTensors, type StateTensors } from './optimizer-state.ts';

export interface UpdateRequest {
  readonly parameters: Iterable<Parameter>;
  /** Summed gradients by parameter name. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** What a summed gradient is multiplied by: 1 / weight, and the clipping. */
  readonly gradientScale: number;
  readonly learningRate: number;
}

type Arrays = Readonly<Record<string, Float32Array>>;
type Scalars = Readonly<Record<string, number>>;

export class Updater {
  readonly #optimizer: Optimizer;
  readonly #engine: Engine;
  readonly #options: TrainerOptions;
  readonly #arguments: OptimizerArguments;
  readonly #states = new Map<string, ParameterState>();
  readonly #chunks: Chunks;
  /** By shape and state: the program of the whole tensor, or undefined where the update is elementwise. */
  readonly #programs = new Map<string, Program | undefined>();
  /** By the names of the tensors: a parameter whose update is elementwise. */
  readonly #examples = new Map<string, Parameter>();
  #settled = false;

  /** Throws LMFLOW_CONFIG_OPTIMIZER_ARGUMENT. */
  constructor(optimizer: Optimizer, engine: Engine, options: TrainerOptions) {
    this.#optimizer = optimizer;
    this.#engine = engine;
    this.#options = options;
    this.#arguments = optimizerArguments(optimizer, options);
    this.#chunks = new Chunks(engine, optimizer.name, (tensors, size) => this.#build(this.#examples.get(tensors.join())!, Object.fromEntries(tensors.map((name) => [name, [size]]))));
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
      const program = await this.#wholeProgram(parameter);
      if (program) {
        await this.#runWhole(program, parameter, gradient, state, scalars);
        continue;
      }
      const tensors = flatTensors(parameter, gradient, state);
      this.#examples.set(Object.keys(tensors).join(), parameter);
      await this.#chunks.add({ length: parameter.data.length, tensors, scalars });
    }
    await this.#chunks.finish();
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
    await this.#chunks.dispose();
    for (const program of this.#programs.values()) await program?.dispose();
    this.#programs.clear();
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

  /** The program for an update that is not elementwise. */
  async #wholeProgram(parameter: Parameter): Promise<Program | undefined> {
    const states = Object.entries(this.#optimizer.state(parameter, this.#arguments)).map(([name, shape]) => [stateInput(name), shape] as const);
    const key = `${parameter.shape.join()} ${states.map(([name]) => name).join()}`;
    if (this.#programs.has(key)) return this.#programs.get(key);
    const graph = this.#build(parameter, { parameter: parameter.shape, gradient: parameter.shape, ...Object.fromEntries(states) });
    const program = isElementwise(graph) ? undefined : await this.#engine.compile(graph, { name: `${this.#optimizer.name} [${parameter.shape.join()}]` });
    this.#programs.set(key, program);
    return program;
  }

  /** The update program of a parameter with tensors of these shapes, by their input's name. */
  #build(example: Parameter, shapes: Readonly<Record<string, Shape>>): Graph {
    const graph = new Graph();
    const tensors = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, graph.input(name, 'float32', shape)]));
    const { parameter, gradient, ...states } = tensors as Record<string, Value> & Pick<UpdateValues, 'parameter' | 'gradient'>;
    const state = Object.fromEntries(Object.entries(states).map(([name, value]) => [name.slice(stateInput('').length), value]));
    const names = Object.keys(this.#optimizer.scalars(this.#facts(example, { step: 1, numbers: { ...this.#optimizer.numbers } }, 0)));
    const scalars = Object.fromEntries(names.map((name) => [name, graph.input(name, 'float32', [])]));
    const next: OptimizerUpdate = this.#optimizer.update({ parameter, gradient: mul(gradient, graph.input('gradientScale', 'float32', [])), state, scalars, arguments: this.#arguments });
    graph.output(nextOf('parameter'), next.parameter);
    for (const [name, value] of Object.entries(next.state)) graph.output(nextOf(stateInput(name)), value);
    return graph;
  }

  async #runWhole(program: Program, { shape, data }: Parameter, gradient: Float32Array, { tensors }: ParameterState, scalars: Scalars): Promise<void> {
    const arrays: Arrays = { parameter: data, ...Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [stateInput(name), tensor.data])) };
    const inputs: Record<string, Tensor> = { gradient: await this.#engine.upload(gradient, shape, 'float32') };
    for (const [name, array] of Object.entries(arrays)) inputs[name] = await this.#engine.upload(array, name === 'parameter' ? shape : tensors[name.slice(stateInput('').length)]!.shape, 'float32');
    for (const [name, scalar] of Object.entries(scalars)) inputs[name] = await this.#engine.upload(Float32Array.of(scalar), [], 'float32');
    const results = await program.run(inputs);
    for (const [name, array] of Object.entries(arrays)) {
      const result = results[nextOf(name)];
      if (result) array.set((await result.read()) as Float32Array);
      result?.dispose();
    }
    for (const input of Object.values(inputs)) input.dispose();
  }
}

/** Graph input that holds a tensor of the state. */
const stateInput = (name: string): string => `state:${name}`;

function flatTensors(parameter: Parameter, gradient: Float32Array, { tensors, eightBit }: ParameterState): Record<string, Numbers> {
  return {
    parameter: numbersOf(parameter.data), gradient: numbersOf(gradient),
    ...Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [stateInput(name), numbersOf(data)])),
    ...Object.fromEntries(Object.entries(eightBit).map(([name, tensor]) => [stateInput(name), tensor])),
  };
}
