// The programs of a session, one for each shape: the blocks, from tokens to hidden states, and the
// head, from hidden states to logits. They are apart so that logits exist for scored tokens only, a
// bounded number at a time.
import { LRUCache } from 'lru-cache';
import type { Engine, Program, Tensor } from '@lmflow/sdk';
import {
  loadParameter,
  parameterInput,
  parametersOf,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import { Graph } from '@lmflow/sdk/graph';

/** Programs that are kept: each maps the whole model. */
const KEPT = 12;

interface Compiled {
  readonly program: Program;
  readonly parameters: readonly string[];
}

export interface ProgramsRequest {
  readonly engine: Engine;
  readonly model: Model;
  readonly mode: Trace['mode'];
}

export class ScoringPrograms {
  readonly #request: ProgramsRequest;
  readonly #kept: LRUCache<string, Promise<Compiled>>;
  /** Programs that are being freed. */
  #leaving: Promise<void>[] = [];
  /** Of the call that runs now. */
  readonly #parameters = new Map<string, Tensor>();

  constructor(request: ProgramsRequest) {
    this.#request = request;
    this.#kept = new LRUCache({
      max: KEPT,
      dispose: (entry) => this.#leaving.push(free(entry)),
    });
  }

  /** Hidden states [size x length, hiddenSize] of `size` rows of `length` ids, before the head. */
  async hidden(ids: Int32Array, size: number, length: number): Promise<Float32Array> {
    const { engine, model } = this.#request;
    const compiled = await this.#get(`blocks ${size} x ${length}`, (graph) => {
      const trace = this.#trace(graph, size, length);
      let hidden = model.build.embed(trace, trace.input('inputIds'));
      for (let layer = 0; layer < model.architecture.numLayers; layer++) {
        hidden = model.build.block(trace, hidden, layer);
      }
      graph.output('result', hidden);
    });
    const positions = Int32Array.from({ length: size * length }, (_, place) => place % length);
    return this.#run(compiled, {
      inputIds: await engine.upload(ids, [size, length], 'int32'),
      positions: await engine.upload(positions, [size, length], 'int32'),
    });
  }

  /** Logits [rows, outputs of the head] of hidden states [rows, hiddenSize]. */
  async logits(hidden: Float32Array, rows: number): Promise<Float32Array> {
    const { engine, model } = this.#request;
    const shape = [rows, model.architecture.hiddenSize];
    const compiled = await this.#get(`head ${rows}`, (graph) => {
      const trace = this.#trace(graph, 1, rows);
      const output = model.build.head(trace, graph.input('hidden', 'float32', shape));
      graph.output('result', model.build.logits(trace, output));
    });
    return this.#run(compiled, { hidden: await engine.upload(hidden, shape, 'float32') });
  }

  /** Parameters are read anew at their next use. */
  forgetParameters(): void {
    for (const tensor of this.#parameters.values()) tensor.dispose();
    this.#parameters.clear();
  }

  async dispose(): Promise<void> {
    this.forgetParameters();
    this.#kept.clear();
    await Promise.all(this.#leaving.splice(0));
  }

  #trace(graph: Graph, batchSize: number, length: number): Trace {
    const { model, mode } = this.#request;
    const input: Trace['input'] = (name) => graph.input(name, 'int32', [batchSize, length]);
    return {
      graph,
      model,
      mode,
      batchSize,
      length,
      input,
      // Asked for by name, so that the head's program takes none.
      get positions() {
        return input('positions');
      },
      dropoutMask: () => {
        throw new Error('there is no dropout where tokens are scored');
      },
    };
  }

  async #get(name: string, build: (graph: Graph) => void): Promise<Compiled> {
    const { engine, model } = this.#request;
    const key = [name, ...model.parameters.keys()].join();
    const known = this.#kept.get(key);
    if (known) return known;
    const graph = new Graph();
    build(graph);
    const compiled = engine
      .compile(graph, {
        name: `score ${name}`,
        keepMemory: false,
        family: `score ${familyOf(name)}`,
      })
      .then((program) => ({ program, parameters: parametersOf(graph) }));
    compiled.catch(() => this.#kept.delete(key));
    this.#kept.set(key, compiled);
    await Promise.all(this.#leaving.splice(0));
    return compiled;
  }

  async #run(
    { program, parameters }: Compiled,
    inputs: Readonly<Record<string, Tensor>>,
  ): Promise<Float32Array> {
    const all: Record<string, Tensor> = { ...inputs };
    for (const name of parameters) all[parameterInput(name)] = await this.#parameter(name);
    const { result } = await program.run(all);
    const numbers = Float32Array.from((await result!.read()) as Float32Array);
    for (const tensor of [result!, ...Object.values(inputs)]) tensor.dispose();
    return numbers;
  }

  /** Weights that an adapter brings whole, those of an adapter by name, and trained ones. */
  async #parameter(name: string): Promise<Tensor> {
    const known = this.#parameters.get(name);
    if (known) return known;
    const parameter = this.#request.model.parameters.get(name)!;
    const data = await loadParameter(parameter);
    const tensor = await this.#request.engine.upload(data, parameter.shape, 'float32');
    this.#parameters.set(name, tensor);
    return tensor;
  }
}

async function free(entry: Promise<Compiled>): Promise<void> {
  const compiled = await entry.catch(() => undefined);
  await compiled?.program.dispose();
}

/** `blocks` or `head`: programs that differ in sizes only. */
function familyOf(name: string): string {
  return name.split(' ')[0]!;
}
