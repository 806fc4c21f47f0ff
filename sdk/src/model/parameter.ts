// What is trained: parameters, and the adapter that they may belong to. Optimizers are the
// trainer's.
import type { Graph, Shape, Value } from '../graph/index.ts';

const PREFIX = 'parameter:';

/** Name of the graph input that a parameter is fed to. */
export function parameterInput(name: string): string {
  return `${PREFIX}${name}`;
}

/** A parameter's value in a graph: an input, which is fed at every run. */
export function parameterValue(
  graph: Graph,
  { name, shape }: Pick<Parameter, 'name' | 'shape'>,
): Value {
  return graph.input(parameterInput(name), 'float32', shape);
}

/** Names of the parameters that a graph has inputs for. */
export function parametersOf(graph: Graph): string[] {
  return [...graph.inputs.keys()].flatMap((input) =>
    input.startsWith(PREFIX) ? [input.slice(PREFIX.length)] : [],
  );
}

/**
 * Where a parameter's numbers are kept when they are not in memory: a file, another process. The
 * arrays have as many numbers as the parameter, row-major.
 */
export interface ParameterStorage {
  /** Fills `into` with the numbers. */
  load(into: Float32Array): Promise<void>;
  /** Keeps the numbers of `from`, which belongs to the caller again once the promise is fulfilled. */
  store(from: Float32Array): Promise<void>;
}

/**
 * A trainable tensor. The trainer updates `data` in place, or loads and stores the numbers where
 * there is a `storage`. `loadParameter` and `storeParameter` do for both.
 */
export interface Parameter {
  /** Name in the graph and in files, e.g. `model.layers.0.self_attn.q_proj.lora_A.weight`. */
  readonly name: string;
  readonly shape: Shape;
  /** The numbers in memory. Reading it throws LMFLOW_PARAMETER_STORED where there is a `storage`. */
  readonly data: Float32Array;
  /** Keeps the numbers outside of memory; `storedParameter` makes such a parameter. */
  readonly storage?: ParameterStorage;
  /** Whether weight decay applies (not to biases and norms). */
  readonly decay: boolean;
  /** Multiplies the learning rate (LoRA+). */
  readonly learningRateScale?: number;
  /** Highest learning rate of its own, in place of the run's; the schedule is the run's. */
  readonly learningRate?: number;
  /**
   * false leaves it as it is in the steps to come: no gradient is computed, its optimizer state is
   * dropped (LISA sets it in onStepStart).
   */
  active?: boolean;
}

/** The part of an adapter that saving and merging need. */
export interface Adapter {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /**
   * Adapters of one model with equal signatures make the same programs, which are fed their
   * parameters.
   */
  readonly signature: string;
  /** Files of the adapter: config as JSON and tensors by their PEFT names. */
  save(): {
    readonly config: Readonly<Record<string, unknown>>;
    readonly tensors: ReadonlyMap<string, { shape: Shape; data: Float32Array }>;
  };
  /**
   * What merging adds to a base weight (`base`: its numbers), in float32 and the file's layout, or
   * undefined where it leaves it alone.
   */
  delta(weight: string, base: Float32Array): Float32Array | undefined;
}
