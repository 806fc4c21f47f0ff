// A compiled program: checks what it is given, runs the session, turns the runtime's errors into ours.
import { describe, sameShape, type ValueType } from '@lmflow/sdk/graph';
import type { Profile, Program, Tensor, TensorMap } from '@lmflow/sdk';
import { inputName, LAST_WORD, outputName } from './compile.ts';
import { disposed, runFailed, tensorDoesNotFit } from './errors.ts';
import type { Origin } from './flatten.ts';
import type { ProfileFolder } from './profile.ts';
import { OnnxTensor, zeros } from './tensor.ts';
import type { Runtime, RuntimeSession, RuntimeTensor } from './runtime.ts';

/** What else a program holds. */
export interface ProgramParts {
  readonly inputs: ReadonlyMap<string, ValueType>;
  readonly outputs: ReadonlyMap<string, ValueType>;
  /** Tensors given at every run beside the program's inputs. */
  readonly fed: NativeMap;
  /** The nodes of the graph by the names that kernels carry. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Set where the model has LAST_WORD: outputs are written in place, and the runtime makes tensors for those that are not given. */
  readonly inPlace: Runtime | undefined;
  readonly profile: ProfileFolder | undefined;
  /** Called once, when the program is disposed. */
  readonly onDispose: (program: OnnxProgram) => void;
}

type NativeMap = Record<string, RuntimeTensor>;

export class OnnxProgram implements Program {
  readonly name: string;
  readonly #parts: ProgramParts;
  #session: RuntimeSession | undefined;

  constructor(name: string, session: RuntimeSession, parts: ProgramParts) {
    this.name = name;
    this.#session = session;
    this.#parts = parts;
  }

  async run(inputs: TensorMap, outputs: TensorMap = {}): Promise<TensorMap> {
    if (!this.#session) throw disposed(this.name);
    const feeds: NativeMap = { ...this.#parts.fed };
    for (const [name, value] of this.#parts.inputs) feeds[inputName(name)] = this.#native(`the input "${name}"`, value, inputs[name]);
    for (const [name, value] of this.#parts.outputs) if (outputs[name]) this.#native(`the output "${name}"`, value, outputs[name]);
    return this.#parts.inPlace ? await this.#runInPlace(this.#session, feeds, outputs) : await this.#runCopying(this.#session, feeds, outputs);
  }

  /** Every output is written into a tensor that is made beforehand; the binding is kept from copying them. */
  async #runInPlace(session: RuntimeSession, feeds: NativeMap, outputs: TensorMap): Promise<TensorMap> {
    const results = Object.fromEntries([...this.#parts.outputs].map(([name, value]) => [name, outputs[name] ?? zeros(this.#parts.inPlace!, value)]));
    const fetches: Record<string, RuntimeTensor | null> = { [LAST_WORD]: null };
    for (const [name, tensor] of Object.entries(results)) fetches[outputName(name)] = (tensor as OnnxTensor).native;
    await this.#execute(session, feeds, fetches);
    return results;
  }

  async #runCopying(session: RuntimeSession, feeds: NativeMap, outputs: TensorMap): Promise<TensorMap> {
    const fetches: Record<string, RuntimeTensor | null> = {};
    for (const name of this.#parts.outputs.keys()) fetches[outputName(name)] = (outputs[name] as OnnxTensor | undefined)?.native ?? null;
    const results = await this.#execute(session, feeds, fetches);
    return Object.fromEntries([...this.#parts.outputs].map(([name, { dtype }]) =>
      [name, outputs[name] ?? new OnnxTensor(results[outputName(name)] as RuntimeTensor, dtype)]));
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

  #native(what: string, wanted: ValueType, given: Tensor | undefined): RuntimeTensor {
    if (!(given instanceof OnnxTensor)) throw tensorDoesNotFit(this.name, what, wanted, given ? 'a tensor of another engine' : 'nothing');
    if (given.dtype !== wanted.dtype || !sameShape(given.shape, wanted.shape)) throw tensorDoesNotFit(this.name, what, wanted, describe(given));
    return given.native;
  }

  async #execute(session: RuntimeSession, feeds: NativeMap, fetches: Record<string, RuntimeTensor | null>): Promise<Readonly<Record<string, unknown>>> {
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

/** The node of our graph that a message of the runtime speaks of: ONNX nodes are named `<our node>#<number>`. */
export function nodeIn(error: unknown): string | undefined {
  const text = error instanceof Error ? error.message : String(error);
  return /Name:\s*'([^']*)#\d+[^']*'/.exec(text)?.[1] ?? /'?([^\s'"()]+)#\d+/.exec(text)?.[1];
}
