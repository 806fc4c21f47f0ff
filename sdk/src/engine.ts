// What computes: compiles tensor programs and runs them. engine-onnx is the default; the float64
// interpreter is the reference.
import type { DType, Graph, Shape, TypedArray } from './graph/index.ts';
import { registry } from './registry.ts';

/** Numbers that an engine can use, wherever they are. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Where it is: `cpu`, `gpu-buffer`, ... */
  readonly location: string;
  /** The numbers; on the CPU the array itself, not a copy. */
  read(): Promise<TypedArray>;
  dispose(): void;
}

/** Tensors by the name of a program's input or output. */
export type TensorMap = Readonly<Record<string, Tensor>>;

/** What an engine may know about the use of a program before it compiles it. */
export interface CompileOptions {
  /** For messages and profiles. */
  readonly name?: string;
  /** Collect times per op (Program.profile). */
  readonly profile?: boolean;
  /**
   * One run soon follows another, as in decoding, so that threads may spin for a moment between
   * them.
   */
  readonly repeated?: boolean;
  /**
   * false frees the memory of a run after it, which suits large programs and several that take turns;
   * by default it is kept for the next run.
   */
  readonly keepMemory?: boolean;
  /**
   * Programs of one family differ from each other in sizes only: a device is compared with the CPU
   * once for all of them. By default each program is a family of its own.
   */
  readonly family?: string;
}

/** Seconds spent under one name, summed over the runs so far. */
export interface ProfileRow {
  readonly name: string;
  readonly seconds: number;
  /** Kernels that ran under the name. */
  readonly count: number;
}

/**
 * Where a program's time went, most first: by op of our graph, by region, by the engine's own
 * kernels.
 */
export interface Profile {
  readonly ops: readonly ProfileRow[];
  readonly regions: readonly ProfileRow[];
  readonly kernels: readonly ProfileRow[];
}

/** A compiled graph that runs as often as its inputs change, until it is disposed. */
export interface Program {
  /**
   * Runs the program on a tensor for every input of the graph; returns the graph's outputs.
   * `outputs` may name tensors to write results into (an input's own tensor too, where each element
   * depends on its own index only and everything else that reads the input is needed for that
   * result: the order of a program's ops is the engine's). A failure of the runtime is an
   * LMFlowError with the name of the node in our graph.
   */
  run(inputs: TensorMap, outputs?: TensorMap): Promise<TensorMap>;
  /** Where the time went, for a program compiled with `profile`; ends the recording. */
  profile?(): Promise<Profile>;
  dispose(): Promise<void>;
}

/** What `lmflow doctor` shows of an engine. */
export interface DeviceReport {
  readonly device: string;
  readonly available: boolean;
  /** Why it is not available, or what it is (`2 threads, AVX-512`). */
  readonly detail: string;
}

/** Compiles graphs and runs them on one device. */
export interface Engine {
  readonly name: string;
  readonly device: string;
  /**
   * Makes a tensor. On the CPU it wraps `data` without a copy: changing `data` between runs changes
   * the tensor.
   */
  upload(data: TypedArray, shape: Shape, dtype: DType): Promise<Tensor>;
  compile(graph: Graph, options?: CompileOptions): Promise<Program>;
  /** The devices this engine knows; a tiny program is run on each. */
  devices(): Promise<readonly DeviceReport[]>;
}

/** An engine that can be chosen by the key `engine`. */
export interface EngineRow {
  /** `onnx`, `tfjs`, ... */
  readonly name: string;
  /** Makes the engine, at its first use; it is disposed with the kernel where it has `dispose()`. */
  create(): Engine;
}

/** The engines that are loaded. Without the key `engine` the first one computes. */
export const ENGINES = registry<EngineRow>('engines', 'engine', '@lmflow/plugin-engine-onnx');

/**
 * How an engine computes an op with its kernels; an op without a lowering is decomposed. The engine's
 * package has the type of `lower`.
 */
export interface LoweringRow {
  /** `<engine> <op>`: `onnx @lmflow/plugin-qlora/matMulNf4`, with the devices where it names some. */
  readonly name: string;
  readonly engine: string;
  readonly op: string;
  /** The devices it is for (`cpu`); every device of the engine where none is named. */
  readonly devices?: readonly string[];
  readonly lower: unknown;
}

/** Lowerings of plugins' ops, by engine; the engine in use takes its own. */
export const LOWERINGS = registry<LoweringRow>('lowerings', 'lowering');

/** A row of LOWERINGS; `devices` restricts it to some of the engine's devices. */
export function lowering(
  engine: string,
  op: { readonly name: string },
  lower: unknown,
  devices?: readonly string[],
): LoweringRow {
  const name = [engine, op.name, ...(devices ?? [])].join(' ');
  return { name, engine, op: op.name, lower, ...(devices ? { devices } : {}) };
}
