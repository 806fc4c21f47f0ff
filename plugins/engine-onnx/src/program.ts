// A compiled program: checks what it is given, runs the session, turns the runtime's errors into
// ours.
import type { ValueType } from '@lmflow/sdk/graph';
import { messageOf, type Profile, type Program, type TensorMap } from '@lmflow/sdk';
import { inputName, LAST_WORD, outputName } from './compile.ts';
import { disposed, runFailed } from './errors.ts';
import type { Origin } from './flatten.ts';
import type { ProfileFolder } from './profile.ts';
import { fitting, OnnxTensor, zeros } from './tensor.ts';
import type { Runtime, RuntimeSession, RuntimeTensor } from './runtime.ts';

/** What else a program holds. */
export interface ProgramParts {
  readonly inputs: ReadonlyMap<string, ValueType>;
  readonly outputs: ReadonlyMap<string, ValueType>;
  /** Tensors given at every run beside the program's inputs. */
  readonly fed: NativeMap;
  /** The nodes of the graph by the names that kernels carry. */
  readonly origins: ReadonlyMap<string, Origin>;
  /**
   * Set where the model has LAST_WORD: outputs are written in place, and the runtime makes tensors
   * for those that are not given.
   */
  readonly inPlace: Runtime | undefined;
  readonly profile: ProfileFolder | undefined;
  /** Called once, when the program is disposed. */
  readonly onDispose: (program: OnnxProgram) => void;
}

type NativeMap = Record<string, RuntimeTensor>;

/**
 * An input or output, by our name and the runtime's: a decoding step has more than a hundred, and
 * no time to put names together.
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
      feeds[native] = fitting(this.name, 'input', name, value, inputs[name]).native;
    }
    for (const { name, value } of this.#outputs) {
      if (outputs[name]) fitting(this.name, 'output', name, value, outputs[name]);
    }
    return this.#parts.inPlace
      ? await this.#runInPlace(this.#session, feeds, outputs)
      : await this.#runCopying(this.#session, feeds, outputs);
  }

  /**
   * Every output is written into a tensor that is made beforehand; the binding is kept from copying
   * them.
   */
  async #runInPlace(
    session: RuntimeSession,
    feeds: NativeMap,
    outputs: TensorMap,
  ): Promise<TensorMap> {
    const results: Record<string, OnnxTensor> = {};
    const fetches: Record<string, RuntimeTensor | null> = { [LAST_WORD]: null };
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
      if (this.#parts.inPlace && isLastWord(error)) return {};
      const name = nodeIn(error);
      const node = name === undefined ? undefined : this.#parts.origins.get(name);
      throw runFailed(this.name, node ? `${name} (${node.op})` : name, error);
    }
  }
}

/** The binding's refusal of LAST_WORD: the run itself is done. */
function isLastWord(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Non tensor type');
}

/**
 * The node of our graph that a message of the runtime speaks of: ONNX nodes are named `<our
 * node>#<number>`.
 */
export function nodeIn(error: unknown): string | undefined {
  const text = messageOf(error);
  return /Name:\s*'([^']*)#\d+[^']*'/.exec(text)?.[1] ?? /'?([^\s'"()]+)#\d+/.exec(text)?.[1];
}
