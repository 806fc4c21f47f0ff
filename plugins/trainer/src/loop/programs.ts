// Compiles, runs and keeps programs by shape of batch; disposes the least recently used ones when
// their memory exceeds the budget. Not with lru-cache, which makes room after a new value is there
// and keeps none above the budget: here room is made before compiling, and one program always
// stays.
import {
  fillKeepMask,
  randomStream,
  type Batch,
  type Engine,
  type Objective,
  type Program,
  type Tensor,
} from '@lmflow/sdk';
import { loadParameter, parameterInput, type Model } from '@lmflow/sdk/model';
import { sizeOf } from '@lmflow/sdk/graph';
import {
  gradientOutput,
  metricOutput,
  weightOutput,
  traceProgram,
  type ProgramMode,
  type TracedProgram,
} from './tracing.ts';

export interface ProgramResult {
  /** Sum of the loss. */
  readonly loss: number;
  /** Further sums, with denominators where they have their own. */
  readonly metrics: Readonly<Record<string, { readonly total: number; readonly weight?: number }>>;
  /**
   * Summed gradients by parameter name; empty in evaluation. The caller owns the arrays and may
   * return them with `recycle`.
   */
  readonly gradients: Map<string, Float32Array>;
}

/** Place of a micro-batch in the run, which decides its dropout masks and drawn labels. */
export interface MicroBatch {
  readonly batch: Batch;
  readonly step: number;
  readonly micro: number;
}

/**
 * Bytes per node that an engine holds for a program that is not running: 80 MB for 1,275 nodes were
 * measured.
 */
const NODE_BYTES = 64e3;

interface Compiled extends TracedProgram {
  readonly program: Program;
  readonly bytes: number;
  readonly masks: ReadonlyMap<string, Uint8Array>;
}

export interface ProgramsRequest {
  readonly engine: Engine;
  readonly model: Model;
  readonly objective: Objective;
  readonly seed: number;
  /** Budget of estimated bytes for all kept programs. */
  readonly budget: number;
}

export class Programs {
  readonly #request: ProgramsRequest;
  readonly #compiled = new Map<string, Compiled>();
  readonly #parameters = new Map<string, Tensor>();
  /** Arrays of gradients that later runs write into again, since new pages cost time. */
  readonly #spare = new Map<string, Float32Array[]>();
  /** Names of the parameters whose gradients training programs compute. */
  #active = '';

  constructor(request: ProgramsRequest) {
    this.#request = request;
  }

  /** Parameters to train whose gradient no compiled program computes. */
  unreached(): string[] {
    const reached = new Set([...this.#compiled.values()].flatMap(({ trained }) => trained));
    return [...this.#request.model.parameters.values()].flatMap(({ name, active }) =>
      active === false || reached.has(name) ? [] : [name],
    );
  }

  /** Runs a micro-batch; compiles a program for the first batch of a shape. */
  async run(mode: ProgramMode, { batch, step, micro }: MicroBatch): Promise<ProgramResult> {
    const compiled = await this.#programFor(mode, batch);
    const { engine, seed } = this.#request;
    const inputs: Record<string, Tensor> = {};
    const passing: Tensor[] = [];
    for (const name of compiled.parameters) {
      const tensor = await this.#parameter(name);
      inputs[parameterInput(name)] = tensor;
      if (this.#request.model.parameters.get(name)!.storage) passing.push(tensor);
    }
    for (const [name, { data, shape, dtype }] of Object.entries(batch.tensors)) {
      if (compiled.graph.inputs.has(name)) {
        passing.push((inputs[name] = await engine.upload(data, shape, dtype)));
      }
    }
    for (const { site, input, shape, probability } of compiled.dropout) {
      const mask = compiled.masks.get(site)!;
      if (mode !== 'evaluation') {
        fillKeepMask(mask, probability, seed, 'dropout', step, micro, site);
      } else mask.fill(1);
      passing.push((inputs[input] = await engine.upload(mask, shape, 'uint8')));
    }
    for (const { input, shape } of compiled.uniforms) {
      const stream = randomStream(seed, 'uniform', step, micro, input);
      // 24 bits, so that float32 rounds no number to 1
      const numbers = Float32Array.from(
        { length: sizeOf(shape) },
        (_, index) => (stream.bits(index) >>> 8) / 2 ** 24,
      );
      passing.push((inputs[input] = await engine.upload(numbers, shape, 'float32')));
    }
    const outputs = await compiled.program.run(inputs, await this.#targets(compiled));
    const result = await readResult(compiled, outputs);
    for (const tensor of [...passing, ...Object.values(outputs)]) tensor.dispose();
    return result;
  }

  /** Call after an update: frees its gradients, and marks the parameters as changed. */
  updated(gradients: Map<string, Float32Array>): void {
    this.recycle(gradients);
    this.parametersChanged();
  }

  /** Takes arrays of gradients that are no longer needed; the map is empty afterwards. */
  recycle(gradients: Map<string, Float32Array>): void {
    for (const [name, array] of gradients) {
      const arrays = this.#spare.get(name) ?? [];
      arrays.push(array);
      this.#spare.set(name, arrays);
    }
    gradients.clear();
  }

  /**
   * Runs a micro-batch for training in a separate program, traced from the present building
   * functions, and disposes it.
   */
  async aside(micro: MicroBatch): Promise<ProgramResult> {
    const programs = new Programs(this.#request);
    try {
      return await programs.run('training', micro);
    } finally {
      await programs.dispose();
    }
  }

  /** The engine uploads its copies of parameters again before the next run. */
  parametersChanged(): void {
    for (const [name, tensor] of this.#parameters) {
      if (tensor.location === 'cpu') continue;
      tensor.dispose();
      this.#parameters.delete(name);
    }
  }

  async dispose(): Promise<void> {
    for (const { program } of this.#compiled.values()) await program.dispose();
    for (const tensor of this.#parameters.values()) tensor.dispose();
    this.#compiled.clear();
    this.#parameters.clear();
    this.#spare.clear();
  }

  async #parameter(name: string): Promise<Tensor> {
    const known = this.#parameters.get(name);
    if (known) return known;
    const parameter = this.#request.model.parameters.get(name)!;
    const data = await loadParameter(parameter);
    const tensor = await this.#request.engine.upload(data, parameter.shape, 'float32');
    // One behind a storage is in memory for a run only.
    if (!parameter.storage) this.#parameters.set(name, tensor);
    return tensor;
  }

  /** Arrays that the gradients are written into, as far as there are free ones. */
  async #targets({ trained }: Compiled): Promise<Record<string, Tensor>> {
    const targets: Record<string, Tensor> = {};
    if (this.#request.engine.device !== 'cpu') return targets; // results lie elsewhere
    for (const name of trained) {
      const array = this.#spare.get(name)?.pop();
      if (array) {
        targets[gradientOutput(name)] = await this.#request.engine.upload(
          array,
          this.#request.model.parameters.get(name)!.shape,
          'float32',
        );
      }
    }
    return targets;
  }

  async #programFor(mode: ProgramMode, batch: Batch): Promise<Compiled> {
    const key = this.#keyOf(mode, batch);
    if (mode !== 'evaluation') {
      await this.#dropOthers(
        [...this.#request.model.parameters.values()]
          .filter(({ active }) => active !== false)
          .map(({ name }) => name)
          .join('|'),
      );
    }
    const known = this.#compiled.get(key);
    if (known) {
      this.#compiled.delete(key); // to the end: the most recently used
      this.#compiled.set(key, known);
      return known;
    }
    const { engine, model, objective } = this.#request;
    const traced = traceProgram(model, objective, batch, mode);
    const bytes = NODE_BYTES * traced.graph.nodes.length;
    await this.#makeRoom(bytes);
    // A program keeps its memory: programs of several shapes would each hold as much as the
    // largest, and one alone up to a third more than it uses. Freeing it costs about 3% of a step.
    const program = await engine.compile(traced.graph, {
      name: `${mode} ${batch.size} x ${batch.length}`,
      keepMemory: false,
      family: `${mode} of ${JSON.stringify(model.architecture)}`,
    });
    const masks = new Map(
      traced.dropout.map(({ site, shape }) => [site, new Uint8Array(sizeOf(shape))]),
    );
    const compiled = { ...traced, program, bytes, masks };
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #keyOf(mode: ProgramMode, { tensors, contextLength }: Batch): string {
    const types = Object.entries(tensors).map(
      ([name, { dtype, shape }]) => `${name}:${dtype}[${shape.join()}]`,
    );
    return [mode, contextLength, ...types, ...this.#request.model.parameters.keys()].join('|');
  }

  // A plugin (LISA) may change the active parameters: programs for the former ones only hold
  // memory.
  async #dropOthers(active: string): Promise<void> {
    if (this.#active === active) return;
    this.#active = active;
    this.#spare.clear();
    for (const [key, { trained, program }] of this.#compiled) {
      if (trained.length === 0) continue;
      this.#compiled.delete(key);
      await program.dispose();
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    let held = [...this.#compiled.values()].reduce(
      (total, compiled) => total + compiled.bytes,
      bytes,
    );
    for (const [key, compiled] of this.#compiled) {
      if (held <= this.#request.budget) return;
      held -= compiled.bytes;
      this.#compiled.delete(key);
      await compiled.program.dispose();
    }
  }
}

async function readResult(
  compiled: Compiled,
  outputs: Readonly<Record<string, Tensor>>,
): Promise<ProgramResult> {
  const number = async (name: string): Promise<number> => Number((await outputs[name]!.read())[0]);
  const metrics: Record<string, { total: number; weight?: number }> = {};
  for (const name of compiled.metrics) {
    metrics[name] = { total: await number(metricOutput(name)) };
    if (outputs[weightOutput(name)]) metrics[name].weight = await number(weightOutput(name));
  }
  const gradients = new Map<string, Float32Array>();
  for (const name of compiled.trained) {
    gradients.set(name, (await outputs[gradientOutput(name)]!.read()) as Float32Array);
  }
  return { loss: await number('loss'), metrics, gradients };
}
