// Runs an optimizer over all parameters and keeps its state. The optimizer defines the update.
import type {
  Engine,
  Optimizer,
  OptimizerArguments,
  OptimizerRow,
  Program,
  Tensor,
} from '@lmflow/sdk';
import { loadParameter, storeParameter, type Parameter } from '@lmflow/sdk/model';
import { Graph, type Shape } from '@lmflow/sdk/graph';
import { Chunks, numbersOf, type Numbers } from './chunks.ts';
import { isElementwise, nextOf } from './elementwise.ts';
import { Estimator, type EstimateRequest, type SummedGradients } from './curvature.ts';
import { optimizerArguments } from './optimizer-arguments.ts';
import type { TrainerOptions } from '../options.ts';
import { stateInput, updateValues } from './update-graph.ts';
import type { EightBitKind } from './eight-bit-state.ts';
import {
  newState,
  restoreState,
  saveState,
  stateBytes,
  type ParameterState,
  type SavedTensors,
  type StateTensors,
} from './optimizer-state.ts';

export interface UpdateRequest extends SummedGradients {
  readonly learningRate: number;
}

type Arrays = Readonly<Record<string, Float32Array>>;
type Scalars = Readonly<Record<string, number>>;

export class Updater {
  readonly #row: OptimizerRow;
  readonly #optimizer: Optimizer;
  readonly #engine: Engine;
  readonly #options: TrainerOptions;
  readonly #arguments: OptimizerArguments;
  readonly #states = new Map<string, ParameterState>();
  readonly #chunks: Readonly<Record<'decayed' | 'free', Chunks>>;
  readonly #estimator: Estimator | undefined;
  /**
   * By shape and state: the program of the whole tensor, or undefined where the update is
   * elementwise.
   */
  readonly #programs = new Map<string, Program | undefined>();
  /** By the names of the tensors: a parameter whose update is elementwise. */
  readonly #examples = new Map<string, Parameter>();
  #holdsEvaluationWeights = false;

  /** Throws LMFLOW_CONFIG_OPTIMIZER_ARGUMENT. */
  constructor(row: OptimizerRow, engine: Engine, options: TrainerOptions) {
    this.#row = row;
    this.#engine = engine;
    this.#options = options;
    this.#arguments = optimizerArguments(row, options);
    this.#optimizer = row.make({
      beta1: options.adamBeta1,
      beta2: options.adamBeta2,
      epsilon: options.adamEpsilon,
      arguments: this.#arguments,
    });
    const chunks = (decays: boolean): Chunks =>
      new Chunks(engine, row.name, (tensors, size) =>
        this.#build(
          this.#examples.get(tensors.join())!,
          Object.fromEntries(tensors.map((name) => [name, [size]])),
          decays,
        ),
      );
    this.#chunks = { decayed: chunks(true), free: chunks(false) };
    const { curvature } = this.#optimizer;
    this.#estimator = curvature && new Estimator(curvature, engine, options.optim);
  }

  /** Whether the step begins with an estimate of the curvature. */
  estimatesAt(step: number): boolean {
    // Without a state (the run began with another optimizer) the first estimate would come late.
    return (
      this.#estimator !== undefined && (this.#states.size === 0 || this.#estimator.isDue(step))
    );
  }

  /** Adds gradients with drawn labels to the state's estimate of the curvature. */
  async estimate(request: EstimateRequest): Promise<void> {
    await this.#estimator?.estimate(request, (parameter) => this.#stateOf(parameter));
  }

  /**
   * Updates every parameter that has a gradient, in place. The state of one that is not active is
   * dropped.
   */
  async apply({
    parameters,
    gradients,
    gradientScale,
    learningRate,
  }: UpdateRequest): Promise<void> {
    for (const parameter of parameters) {
      if (parameter.active === false) this.#states.delete(parameter.name);
      const gradient = gradients.get(parameter.name);
      if (!gradient) continue;
      const state = await this.#stateOf(parameter);
      state.step++;
      const { numbers, scalars } = this.#numbersOf(parameter, state, learningRate);
      state.numbers = numbers;
      await this.#update(parameter, gradient, state, { ...scalars, gradientScale });
    }
    for (const chunks of Object.values(this.#chunks)) await chunks.finish();
  }

  async #update(
    parameter: Parameter,
    gradient: Float32Array,
    state: ParameterState,
    scalars: Scalars,
  ): Promise<void> {
    const data = await loadParameter(parameter);
    const program = await this.#wholeProgram(parameter);
    if (program) {
      await this.#runWhole(program, { shape: parameter.shape, data }, gradient, state, scalars);
      await storeParameter(parameter, data);
      return;
    }
    const tensors = flatTensors(data, gradient, state);
    this.#examples.set(Object.keys(tensors).join(), parameter);
    const chunks = this.#decayOf(parameter) > 0 ? this.#chunks.decayed : this.#chunks.free;
    await chunks.add({ length: data.length, tensors, scalars });
    if (!parameter.storage) return;
    // Its numbers are in memory for its own update only, so that a block at a time is enough.
    await chunks.finish();
    await storeParameter(parameter, data);
  }

  /** Bytes of the state, including active parameters that have no update yet. */
  stateBytes(parameters: Iterable<Parameter>): number {
    let bytes = 0;
    for (const parameter of parameters) {
      if (parameter.active !== false) {
        bytes += stateBytes(this.#optimizer, this.#eightBitOf(parameter), parameter);
      }
    }
    return bytes;
  }

  /**
   * Runs `use` while the parameters hold the weights to evaluate and save, if the optimizer trains
   * other ones, and restores those. Calls `changed` after each change.
   */
  async withEvaluationWeights<T>(
    parameters: Iterable<Parameter>,
    changed: () => void,
    use: () => Promise<T>,
  ): Promise<T> {
    const putBack = await this.#exchange(parameters, changed);
    try {
      return await use();
    } finally {
      await putBack();
    }
  }

  /** Training is over: from now on the parameters hold the weights to evaluate and save. */
  async keepEvaluationWeights(parameters: Iterable<Parameter>, changed: () => void): Promise<void> {
    await this.#exchange(parameters, changed);
    this.#holdsEvaluationWeights = true;
  }

  async #exchange(
    parameters: Iterable<Parameter>,
    changed: () => void,
  ): Promise<() => Promise<void>> {
    const optimizer = this.#optimizer;
    if (!optimizer.evaluationWeights || this.#holdsEvaluationWeights) return async () => undefined;
    const states = [...parameters].flatMap((parameter) => {
      const state = this.#states.get(parameter.name);
      return state ? [{ parameter, state }] : [];
    });
    for (const { parameter, state } of states) {
      const data = await loadParameter(parameter);
      state.trained = data.slice();
      const tensors = Object.entries(state.tensors).map(([name, tensor]) => [name, tensor.data]);
      const evaluated = optimizer.evaluationWeights(
        data,
        Object.fromEntries(tensors) as Record<string, Float32Array>,
      );
      await storeParameter(parameter, evaluated);
    }
    changed();
    return async () => {
      for (const { parameter, state } of states) {
        await storeParameter(parameter, state.trained!);
        state.trained = undefined;
      }
      changed();
    };
  }

  /** Everything an exact resume needs: `<parameter>.<state>` and `<parameter>.step`. */
  save(): StateTensors {
    const tensors: StateTensors = new Map();
    for (const [name, state] of this.#states) {
      for (const [key, tensor] of saveState(state)) tensors.set(`${name}.${key}`, tensor);
    }
    return tensors;
  }

  /** Restores saved state; returns the names of tensors that are missing or of another size. */
  async restore(parameters: Iterable<Parameter>, saved: SavedTensors): Promise<string[]> {
    const missing: string[] = [];
    for (const parameter of parameters) {
      if (!saved.has(`${parameter.name}.step`)) continue; // never updated before the checkpoint
      const wanted = this.#optimizer.evaluationWeights !== undefined;
      const trained = wanted ? await loadParameter(parameter) : undefined;
      const absent = restoreState(
        await this.#stateOf(parameter),
        (key) => saved.get(`${parameter.name}.${key}`)?.data,
        trained,
      );
      if (trained) await storeParameter(parameter, trained);
      missing.push(...absent.map((key) => `${parameter.name}.${key}`));
    }
    return missing;
  }

  /** Sets every parameter's state to that before the first update. */
  reset(): void {
    this.#states.clear();
  }

  async dispose(): Promise<void> {
    for (const chunks of Object.values(this.#chunks)) await chunks.dispose();
    await this.#estimator?.dispose();
    for (const program of this.#programs.values()) await program?.dispose();
    this.#programs.clear();
    this.reset();
  }

  /** Numbers and scalars of the step; the state has counted it already. */
  #numbersOf(
    parameter: Parameter,
    { step, numbers: before }: Pick<ParameterState, 'step' | 'numbers'>,
    learningRate: number,
  ): { readonly numbers: Scalars; readonly scalars: Scalars } {
    const facts = {
      step,
      parameter,
      numbers: before,
      learningRate: this.#rateOf(parameter, learningRate),
      weightDecay: this.#decayOf(parameter),
    };
    const numbers = this.#optimizer.numbers?.next(facts) ?? {};
    return { numbers, scalars: this.#optimizer.scalars({ ...facts, numbers }) };
  }

  #rateOf({ learningRate, learningRateScale = 1 }: Parameter, ofRun: number): number {
    if (learningRate === undefined || ofRun === 0) return ofRun * learningRateScale;
    return learningRate * (ofRun / this.#options.learningRate) * learningRateScale;
  }

  #decayOf({ decay }: Parameter): number {
    return decay ? this.#options.weightDecay : 0;
  }

  async #stateOf(parameter: Parameter): Promise<ParameterState> {
    const known = this.#states.get(parameter.name);
    if (known) return known;
    const state = await newState(this.#optimizer, this.#eightBitOf(parameter), parameter);
    this.#states.set(parameter.name, state);
    return state;
  }

  #eightBitOf(parameter: Parameter): Readonly<Record<string, EightBitKind>> {
    return this.#row.eightBit?.(parameter, this.#arguments) ?? {};
  }

  /** The program for an update that is not elementwise. */
  async #wholeProgram(parameter: Parameter): Promise<Program | undefined> {
    const states = Object.entries(this.#optimizer.init(parameter)).map(
      ([name, { shape }]) => [stateInput(name), shape] as const,
    );
    const decays = this.#decayOf(parameter) > 0;
    const key = `${parameter.shape.join()} ${states.map(([name]) => name).join()} ${decays}`;
    if (this.#programs.has(key)) return this.#programs.get(key);
    const graph = this.#build(
      parameter,
      { parameter: parameter.shape, gradient: parameter.shape, ...Object.fromEntries(states) },
      decays,
    );
    const program = isElementwise(graph)
      ? undefined
      : await this.#engine.compile(graph, {
          name: `${this.#row.name} [${parameter.shape.join()}]`,
        });
    this.#programs.set(key, program);
    return program;
  }

  /** The update program of a parameter with tensors of these shapes, by their input's name. */
  #build(example: Parameter, shapes: Readonly<Record<string, Shape>>, decays: boolean): Graph {
    const graph = new Graph();
    const first = { step: 1, numbers: this.#optimizer.numbers?.first ?? {} };
    const names = Object.keys(this.#numbersOf(example, first, 0).scalars);
    const next = this.#optimizer.update({ ...updateValues(graph, shapes, names), decays });
    graph.output(nextOf('parameter'), next.parameter);
    for (const [name, value] of Object.entries(next.state)) {
      graph.output(nextOf(stateInput(name)), value);
    }
    return graph;
  }

  async #runWhole(
    program: Program,
    { shape, data }: Pick<Parameter, 'shape' | 'data'>,
    gradient: Float32Array,
    { tensors }: ParameterState,
    scalars: Scalars,
  ): Promise<void> {
    const arrays: Arrays = {
      parameter: data,
      ...Object.fromEntries(
        Object.entries(tensors).map(([name, tensor]) => [stateInput(name), tensor.data]),
      ),
    };
    const inputs: Record<string, Tensor> = {
      gradient: await this.#engine.upload(gradient, shape, 'float32'),
    };
    for (const [name, array] of Object.entries(arrays)) {
      inputs[name] = await this.#engine.upload(
        array,
        name === 'parameter' ? shape : tensors[name.slice(stateInput('').length)]!.shape,
        'float32',
      );
    }
    for (const [name, scalar] of Object.entries(scalars)) {
      inputs[name] = await this.#engine.upload(Float32Array.of(scalar), [], 'float32');
    }
    const results = await program.run(inputs);
    for (const [name, array] of Object.entries(arrays)) {
      const result = results[nextOf(name)];
      if (result) array.set((await result.read()) as Float32Array);
      result?.dispose();
    }
    for (const input of Object.values(inputs)) input.dispose();
  }
}

function flatTensors(
  data: Float32Array,
  gradient: Float32Array,
  { tensors, eightBit }: ParameterState,
): Record<string, Numbers> {
  return {
    parameter: numbersOf(data),
    gradient: numbersOf(gradient),
    ...Object.fromEntries(
      Object.entries(tensors).map(([name, { data }]) => [stateInput(name), numbersOf(data)]),
    ),
    ...Object.fromEntries(
      Object.entries(eightBit).map(([name, tensor]) => [stateInput(name), tensor]),
    ),
  };
}
