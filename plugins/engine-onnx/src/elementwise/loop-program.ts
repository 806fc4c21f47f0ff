// A program that is one loop: copies a piece of every tensor into the loop's memory, runs it,
// copies the results out, then the next piece.
import type { Program, TensorMap } from '@lmflow/sdk';
import { disposed, runFailed } from '../errors.ts';
import type { ProgramParts } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { checkTensor, zeros, type OnnxTensor } from '../tensor.ts';
import { PIECE, type Loop } from './loop.ts';
import { PAGE } from './wasm-bytes.ts';

/** What Node.js has of it; TypeScript declares it for browsers only. Without it: node --jitless. */
declare const WebAssembly:
  | {
      validate(bytes: Uint8Array): boolean;
      readonly Memory: new (limits: { readonly initial: number }) => Memory;
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (
        module: object,
        imports: { readonly loop: { readonly memory: Memory } },
      ) => { readonly exports: { readonly run: LoadedLoop } };
    }
  | undefined;

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): void;
}

/**
 * What a LoopProgram needs beside its loop: the types of its inputs and outputs, and the runtime
 * that makes tensors.
 */
export interface LoopParts extends Pick<ProgramParts, 'inputs' | 'outputs'> {
  readonly runtime: Runtime;
  /** Called once, when the program is disposed. */
  readonly onDispose: (program: LoopProgram) => void;
}

/**
 * The loop of an instantiated module: computes the first `end` bytes of every output's page, given
 * the scalar inputs in the loop's order.
 */
export type LoadedLoop = (end: number, ...scalars: number[]) => void;

/**
 * One for all loops: each reserves 10 GB of addresses, and a loop holds numbers in it only while it
 * runs.
 */
let memory: Memory | undefined;

function memoryOf(pages: number): Memory {
  memory ??= new WebAssembly!.Memory({ initial: pages });
  const missing = pages - memory.buffer.byteLength / PAGE;
  if (missing > 0) memory.grow(missing);
  return memory;
}

/**
 * The loop, ready to run; undefined where this machine or process cannot (128-bit vectors, memory),
 * so that the runtime's kernels must.
 */
export function loadLoop({ module, pages }: Loop): LoadedLoop | undefined {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(module)) return undefined;
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(module), {
      loop: { memory: memoryOf(pages) },
    }).exports.run;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * A program that one WebAssembly loop runs, on one thread, instead of ONNX Runtime. Its results are
 * copied out of the shared memory after each run.
 */
export class LoopProgram implements Program {
  readonly name: string;
  readonly #loop: Loop;
  readonly #parts: LoopParts;
  #run: LoadedLoop | undefined;

  constructor(name: string, loop: Loop, run: LoadedLoop, parts: LoopParts) {
    this.name = name;
    this.#loop = loop;
    this.#run = run;
    this.#parts = parts;
  }

  async run(inputs: TensorMap, outputs: TensorMap = {}): Promise<TensorMap> {
    // an update is many short runs: between them the event loop turns
    await new Promise(setImmediate);
    const { runtime, inputs: wanted, outputs: made } = this.#parts;
    const feeds = new Map(
      [...wanted].map(([name, type]) => [
        name,
        checkTensor(this.name, 'input', name, type, inputs[name]),
      ]),
    );
    const results = new Map(
      [...made].map(([name, type]) => [
        name,
        outputs[name]
          ? checkTensor(this.name, 'output', name, type, outputs[name])
          : zeros(runtime, type),
      ]),
    );
    if (!this.#run) throw disposed(this.name);
    try {
      this.#turn(this.#run, feeds, results);
    } catch (error) {
      throw runFailed(this.name, undefined, error);
    }
    return Object.fromEntries(results);
  }

  async dispose(): Promise<void> {
    if (!this.#run) return;
    this.#run = undefined;
    this.#parts.onDispose(this);
  }

  #turn(
    run: LoadedLoop,
    feeds: ReadonlyMap<string, OnnxTensor>,
    results: ReadonlyMap<string, OnnxTensor>,
  ): void {
    const { tensors, scalars, outputs, pages, size } = this.#loop;
    const sources = tensors.map((name) => numbersOf(feeds.get(name)!));
    const targets = outputs.map((name) => numbersOf(results.get(name)!));
    const numbers = scalars.map((name) => numbersOf(feeds.get(name)!)[0]!);
    // after the last growth: growing gives the memory a new buffer
    const { buffer } = memoryOf(pages);
    const places = Array.from(
      { length: pages },
      (_, page) => new Float32Array(buffer, page * PAGE, PIECE),
    );
    for (let start = 0; start < size; start += PIECE) {
      const length = Math.min(PIECE, size - start);
      sources.forEach((source, page) => {
        places[page]!.set(source.subarray(start, start + length));
      });
      run(length * Float32Array.BYTES_PER_ELEMENT, ...numbers);
      targets.forEach((target, page) => {
        target.set(places[page]!.subarray(0, length), start);
      });
    }
  }
}

/** The array itself: programs that are loops run on the CPU only. */
function numbersOf({ native }: OnnxTensor): Float32Array {
  return native.data as Float32Array;
}
