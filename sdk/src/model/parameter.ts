// What is trained: parameters, and the adapter that they may belong to. Optimizers are the
// trainer's.
import type { TensorFile } from '../formats/index.ts';
import type { Graph, Shape, Value } from '../graph/index.ts';
import { parametersMismatch } from './errors.ts';

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

/** A trainable tensor. The trainer updates `data` in place. */
export interface Parameter {
  /** Name in the graph and in files, e.g. `model.layers.0.self_attn.q_proj.lora_A.weight`. */
  readonly name: string;
  readonly shape: Shape;
  readonly data: Float32Array;
  /** Whether weight decay applies (not to biases and norms). */
  readonly decay: boolean;
  /** Multiplies the learning rate (LoRA+). */
  readonly learningRateScale?: number;
  /**
   * false leaves it as it is in the steps to come: no gradient is computed, its optimizer state is
   * dropped (LISA sets it in onStepStart).
   */
  active?: boolean;
}

/**
 * Copies the tensors of a file into parameters of the same names. Throws LMFLOW_PARAMETERS_MISMATCH
 * where one is missing, has another shape, or belongs to no parameter; `file` is for the message.
 */
export function assignParameters(
  parameters: Iterable<Parameter>,
  tensors: TensorFile,
  file: string,
): void {
  const left = new Set(tensors.keys());
  for (const { name, shape, data } of parameters) {
    const tensor = tensors.get(name);
    if (!tensor) throw parametersMismatch(file, `the tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join()) {
      const [found, wanted] = [tensor.shape.join(', '), shape.join(', ')];
      throw parametersMismatch(file, `${name} is [${found}], the model needs [${wanted}]`);
    }
    data.set(tensor.data);
    left.delete(name);
  }
  const [extra] = left;
  if (extra !== undefined) {
    throw parametersMismatch(file, `the tensor ${extra} has no place in it`);
  }
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
