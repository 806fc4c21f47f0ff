// The engine: uploads tensors, compiles graphs, reports devices.
import type { CompileOptions, DeviceReport, Engine, Logger, Program } from '@lmflow/sdk';
import type {
  DType,
  FileWeight,
  Graph,
  MemoryWeight,
  Shape,
  TypedArray,
  Value,
  ValueType,
} from '@lmflow/sdk/graph';
import { compileModel } from './compiled-model.ts';
import { DEVICES, isAboutDevice, tryDevices } from './devices.ts';
import { elementwiseLoop, type Loop } from './elementwise/loop.ts';
import { loadLoop, LoopProgram } from './elementwise/loop-program.ts';
import { compileFailed, deviceUnavailable, deviceUnknown } from './errors.ts';
import { flatten } from './flat-graph.ts';
import { elementwise } from './lowerings/elementwise.ts';
import { ENGINE_NAME } from './lowerings/index.ts';
import type { Lowerings } from './lowerings/lowering.ts';
import type { EngineOptions } from './options.ts';
import { nodeIn, OnnxProgram, type ProgramParts } from './program.ts';
import { ProfileFolder } from './profile.ts';
import { loadRuntime, type Runtime, type RuntimeTensor } from './runtime.ts';
import { createSession, type SessionConfig } from './session.ts';
import { wrap, type OnnxTensor } from './tensor.ts';
import { defaultThreads } from './default-threads.ts';
import { checkFiles, externalRoot } from './weights/external-files.ts';
import { HalfWeights } from './weights/half-weights.ts';

/** An engine's options, device name and lowerings. */
export interface EngineSetup {
  readonly options: EngineOptions;
  readonly device: string;
  readonly lowerings: Lowerings;
  readonly log?: Logger;
}

// A program keeps only types, so that the graph with its constants is freed.
function typesOf(values: ReadonlyMap<string, Value>): Map<string, ValueType> {
  return new Map([...values].map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}

function fileWeights(graph: Graph): FileWeight[] {
  return [...graph.weights.values()].flatMap(({ source }) =>
    source.kind === 'weight' && source.weight.kind === 'file' ? [source.weight] : [],
  );
}

function nativeTensors(
  runtime: Runtime,
  fed: ReadonlyMap<string, MemoryWeight>,
): Record<string, RuntimeTensor> {
  const tensors: Record<string, RuntimeTensor> = {};
  for (const [input, { data, shape, dtype }] of fed) {
    tensors[input] = wrap(runtime, data, shape, dtype).native;
  }
  return tensors;
}

/**
 * The engine that compiles graphs to ONNX and runs them with ONNX Runtime. Throws
 * LMFLOW_DEVICE_UNKNOWN where it does not know the device.
 */
export class OnnxEngine implements Engine {
  readonly name = ENGINE_NAME;
  readonly device: string;
  readonly threads: number;
  readonly #setup: EngineSetup;
  readonly #programs = new Set<Program>();
  #count = 0;

  constructor(setup: EngineSetup) {
    this.#setup = setup;
    this.device = setup.device;
    if (!DEVICES.includes(setup.device)) throw deviceUnknown(setup.device, DEVICES);
    this.threads = setup.options.threads ?? defaultThreads();
  }

  async upload(data: TypedArray, shape: Shape, dtype: DType): Promise<OnnxTensor> {
    return wrap(await loadRuntime(), data, shape, dtype);
  }

  async compile(
    graph: Graph,
    { name = `program ${++this.#count}`, ...options }: CompileOptions = {},
  ): Promise<Program> {
    const runtime = await loadRuntime();
    const shell = {
      inputs: typesOf(graph.inputs),
      outputs: typesOf(graph.outputs),
      onDispose: (done: Program): void => {
        this.#programs.delete(done);
      },
    };
    const loop = options.profile ? undefined : this.#loopOf(graph);
    const run = loop && loadLoop(loop);
    const program = run
      ? new LoopProgram(name, loop, run, { ...shell, runtime })
      : await this.#compileOnnx(graph, name, options, shell);
    this.#programs.add(program);
    return program;
  }

  devices(): Promise<readonly DeviceReport[]> {
    return tryDevices(this.threads);
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.dispose()));
  }

  /** The graph as an ONNX model in a session of the runtime. */
  async #compileOnnx(
    graph: Graph,
    name: string,
    { profile = false, repeated = false, keepMemory = true }: Omit<CompileOptions, 'name'>,
    shell: Pick<ProgramParts, 'inputs' | 'outputs' | 'onDispose'>,
  ): Promise<OnnxProgram> {
    const runtime = await loadRuntime();
    const { options, lowerings, log } = this.#setup;
    const half = new HalfWeights(options, log);
    const flat = flatten(graph, lowerings, half);
    await half.convert();
    const files = fileWeights(flat.graph);
    checkFiles(files);
    const { origins } = flat;
    const { model, fed, copyStop, prepack } = compileModel(flat, lowerings, name, this.device);
    const inPlace = copyStop ? runtime : undefined;
    const tensors = nativeTensors(runtime, fed);
    const folder = profile ? new ProfileFolder() : undefined;
    const prepacked = prepack === 'needed' || (repeated && prepack === 'worth');
    try {
      const config = this.#sessionConfig(
        externalRoot(files),
        { prepack: prepacked, repeated, arena: keepMemory },
        folder,
      );
      const session = await createSession(runtime, model, config);
      return new OnnxProgram(name, session, {
        ...shell,
        fed: tensors,
        origins,
        profile: folder,
        inPlace,
      });
    } catch (error) {
      await folder?.remove();
      throw isAboutDevice(error)
        ? deviceUnavailable(this.device, error)
        : compileFailed(name, nodeIn(error), error);
    }
  }

  /**
   * The loop for an elementwise graph. It runs on one thread, so with more than two the runtime's
   * kernels are faster. Ops that a plugin lowers are left to the plugin.
   */
  #loopOf(graph: Graph): Loop | undefined {
    const { lowerings } = this.#setup;
    const runsAsLoop =
      this.device === 'cpu' &&
      this.threads <= 2 &&
      graph.nodes.every((node) => lowerings.find(node) === elementwise[node.op.name]?.lower);
    return runsAsLoop ? elementwiseLoop(graph) : undefined;
  }

  #sessionConfig(
    externalFolder: string,
    { prepack, repeated, arena }: Pick<SessionConfig, 'prepack' | 'repeated' | 'arena'>,
    profile: ProfileFolder | undefined,
  ): SessionConfig {
    const { options } = this.#setup;
    return {
      ...options,
      prepack: options.prepack || prepack,
      arena: options.arena && arena,
      device: this.device,
      threads: this.threads,
      keepCasts: options.halfWeights === 'cast',
      externalFolder,
      repeated,
      ...(profile ? { profile: profile.prefix } : {}),
    };
  }
}
