// A compiled program: checks the tensors of a run, runs the session, turns the runtime's errors into
// LMFlowErrors.
import type { ValueType } from '@lmflow/sdk/graph';
import { messageOf, type Profile, type Program, type TensorMap } from '@lmflow/sdk';
import { inputName, COPY_STOP, outputName } from './compiled-model.ts';
import { disposed, runFailed } from './errors.ts';
import type { Origin } from './flat-graph.ts';
import type { ProfileFolder } from './profile.ts';
import { checkTensor, OnnxTensor, zeros } from './tensor.ts';
import type { Runtime, RuntimeSession, RuntimeTensor } from './runtime.ts';

/** The parts of a program beside its name and its session. */
export interface ProgramParts {
  readonly inputs: ReadonlyMap<string, ValueType>;
  readonly outputs: ReadonlyMap<string, ValueType>;
  /** Weights that are fed at every run beside the program's inputs. */
  readonly fed: NativeMap;
  /** The nodes of the graph by the names that kernels carry. */
  readonly origins: ReadonlyMap<string, Origin>;
  /**
   * Set where the model has COPY_STOP: outputs are written in place, into tensors of this runtime
   * where the caller brings none.
   */
  readonly inPlace: Runtime | undefined;
  readonly profile: ProfileFolder | undefined;
  /** Called once, when the program is disposed. */
  readonly onDispose: (program: OnnxProgram) => void;
}

type NativeMap = Record<string, RuntimeTensor>;

/**
 * An input or output with our name and the runtime's. A decoding step has more than a hundred, so
 * names are not put together at every run.
 */
interface Port {
  readonly name: string;
  readonly native: string;
  readonly value: ValueType;
}

function portsOf(
  values: ReadonlyMap<string, ValueType>,
  nameOf: (name: string) => string,
): readonly Port[] {
  return [...values].map(([name, value]) => ({ name, native: nameOf(name), value }));
}

/**
 * A compiled program in a session of ONNX Runtime. A failing run throws LMFLOW_ENGINE_RUN_FAILED
 * naming the node of the graph.
 */
export class OnnxProgram implements Program {
  readonly name: string;
  readonly #parts: ProgramParts;
  readonly #inputs: readonly Port[];
  readonly #outputs: readonly Port[];
  #session: RuntimeSession | undefined;

  constructor(name: string, session: RuntimeSession, parts: ProgramParts) {
    this.name = name;
    this.#session = session;
    this.#parts = parts;
    this.#inputs = portsOf(parts.inputs, inputName);
    this.#outputs = portsOf(parts.outputs, outputName);
  }

  async run(inputs: TensorMap, outputs: TensorMap = {}): Promise<TensorMap> {
    if (!this.#session) throw disposed(this.name);
    const feeds: NativeMap = { ...this.#parts.fed };
    for (const { name, native, value } of this.#inputs) {
      feeds[native] = checkTensor(this.name, 'input', name, value, inputs[name]).native;
    }
    for (const { name, value } of this.#outputs) {
      if (outputs[name]) checkTensor(this.name, 'output', name, value, outputs[name]);
    }
    return this.#parts.inPlace
      ? await this.#runInPlace(this.#session, feeds, outputs)
      : await this.#runCopying(this.#session, feeds, outputs);
  }

  /** Writes every output into a tensor made beforehand; COPY_STOP keeps the binding from copying. */
  async #runInPlace(
    session: RuntimeSession,
    feeds: NativeMap,
    outputs: TensorMap,
  ): Promise<TensorMap> {
    const results: Record<string, OnnxTensor> = {};
    const fetches: Record<string, RuntimeTensor | null> = { [COPY_STOP]: null };
    for (const { name, native, value } of this.#outputs) {
      const result = (results[name] =
        (outputs[name] as OnnxTensor | undefined) ?? zeros(this.#parts.inPlace!, value));
      fetches[native] = result.native;
    }
    await this.#execute(session, feeds, fetches);
    return results;
  }

  async #runCopying(
    session: RuntimeSession,
    feeds: NativeMap,
    outputs: TensorMap,
  ): Promise<TensorMap> {
    const fetches: Record<string, RuntimeTensor | null> = {};
    for (const { name, native } of this.#outputs) {
      fetches[native] = (outputs[name] as OnnxTensor | undefined)?.native ?? null;
    }
    const results = await this.#execute(session, feeds, fetches);
    return Object.fromEntries(
      this.#outputs.map(({ name, native, value: { dtype } }) => [
        name,
        outputs[name] ?? new OnnxTensor(results[native] as RuntimeTensor, dtype),
      ]),
    );
  }

  async profile(): Promise<Profile> {
    const { profile, origins } = this.#parts;
    if (!this.#session) throw disposed(this.name);
    if (!profile) return { ops: [], regions: [], kernels: [] };
    this.#session.endProfiling();
    return profile.read(origins);
  }

  async dispose(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#session = undefined;
    this.#parts.onDispose(this);
    await session.release();
    await this.#parts.profile?.remove();
  }

  async #execute(
    session: RuntimeSession,
    feeds: NativeMap,
    fetches: Record<string, RuntimeTensor | null>,
  ): Promise<Readonly<Record<string, unknown>>> {
    try {
      return await session.run(feeds, fetches);
    } catch (error) {
      if (this.#parts.inPlace && isCopyStop(error)) return {};
      const name = nodeIn(error);
      const node = name === undefined ? undefined : this.#parts.origins.get(name);
      throw runFailed(this.name, node ? `${name} (${node.op})` : name, error);
    }
  }
}

/** Whether the binding refuses COPY_STOP: the run itself is done then. */
function isCopyStop(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Non tensor type');
}

/** The node of our graph in a message of the runtime; ONNX nodes are named `<our node>#<number>`. */
export function nodeIn(error: unknown): string | undefined {
  const text = messageOf(error);
  return /Name:\s*'([^']*)#\d+[^']*'/.exec(text)?.[1] ?? /'?([^\s'"()]+)#\d+/.exec(text)?.[1];
}
