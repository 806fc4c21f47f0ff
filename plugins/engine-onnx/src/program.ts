// A compiled program: checks what it is given, runs the session, turns the runtime's errors into ours.
import type { Graph, ValueType } from '@lmflow/sdk/graph';
import { describe, sameShape } from '@lmflow/sdk/graph';
import type { Program, Tensor, TensorMap } from '@lmflow/sdk';
import { disposed, runFailed, tensorDoesNotFit } from './errors.ts';
import { OnnxTensor } from './tensor.ts';
import type { RuntimeSession, RuntimeTensor } from './runtime.ts';

type NativeMap = Record<string, RuntimeTensor>;

export class OnnxProgram implements Program {
  readonly name: string;
  readonly #graph: Graph;
  readonly #fed: NativeMap;
  #session: RuntimeSession | undefined;

  /** `fed` are tensors given at every run beside the program's inputs. */
  constructor(name: string, graph: Graph, session: RuntimeSession, fed: NativeMap) {
    this.name = name;
    this.#graph = graph;
    this.#session = session;
    this.#fed = fed;
  }

  async run(inputs: TensorMap, outputs: TensorMap = {}): Promise<TensorMap> {
    if (!this.#session) throw disposed(this.name);
    const feeds: NativeMap = { ...this.#fed };
    for (const [name, value] of this.#graph.inputs) feeds[name] = this.#native(`the input "${name}"`, value, inputs[name]);
    const fetches: Record<string, RuntimeTensor | null> = {};
    for (const [name, value] of this.#graph.outputs) fetches[name] = outputs[name] ? this.#native(`the output "${name}"`, value, outputs[name]) : null;
    const results = await this.#execute(this.#session, feeds, fetches);
    return Object.fromEntries([...this.#graph.outputs].map(([name, { dtype }]) =>
      [name, outputs[name] ?? new OnnxTensor(results[name] as RuntimeTensor, dtype)]));
  }

  /** Ends the runtime's profile, if one is being written. */
  endProfiling(): void {
    this.#session?.endProfiling();
  }

  async dispose(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.release();
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
      throw runFailed(this.name, nodeIn(error), error);
    }
  }
}

/** The node of our graph that a message of the runtime speaks of: ONNX nodes are named `<our node>#<number>`. */
export function nodeIn(error: unknown): string | undefined {
  const text = error instanceof Error ? error.message : String(error);
  return /Name:\s*'([^']*)#\d+[^']*'/.exec(text)?.[1] ?? /'?([^\s'"()]+)#\d+/.exec(text)?.[1];
}
