// A program that is one loop: copies a piece of every tensor into the loop's memory, runs it, copies the results out, then the next piece.
import type { Program, TensorMap } from '@lmflow/sdk';
import type { ValueType } from '@lmflow/sdk/graph';
import { disposed } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { fitting, zeros, type OnnxTensor } from '../tensor.ts';
import { PIECE, type Loop } from './loop.ts';

/** What Node.js has of it; TypeScript declares it for browsers only. */
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly run: (end: number, ...scalars: number[]) => void;
}

export interface LoopParts {
  readonly inputs: ReadonlyMap<string, ValueType>;
  readonly outputs: ReadonlyMap<string, ValueType>;
  readonly runtime: Runtime;
  /** Called once, when the program is disposed. */
  readonly onDispose: (program: LoopProgram) => void;
}

/** Whether this machine runs the loop: it needs 128-bit vectors. */
export function canRun({ module }: Loop): boolean {
  return WebAssembly.validate(module);
}

export class LoopProgram implements Program {
  readonly name: string;
  readonly #loop: Loop;
  readonly #parts: LoopParts;
  readonly #pages: readonly Float32Array[];
  #run: Exports['run'] | undefined;

  constructor(name: string, loop: Loop, parts: LoopParts) {
    this.name = name;
    this.#loop = loop;
    this.#parts = parts;
    const { memory, run } = new WebAssembly.Instance(new WebAssembly.Module(loop.module)).exports as Exports;
    this.#run = run;
    this.#pages = Array.from({ length: Math.max(loop.tensors.length, loop.outputs.length) }, (_, page) => new Float32Array(memory.buffer, page * PIECE * Float32Array.BYTES_PER_ELEMENT, PIECE));
  }

  async run(inputs: TensorMap, outputs: TensorMap = {}): Promise<TensorMap> {
    const run = this.#run;
    if (!run) throw disposed(this.name);
    const { tensors, scalars, size } = this.#loop;
    const given = new Map([...this.#parts.inputs].map(([name, type]) => [name, numbersOf(fitting(this.name, `the input "${name}"`, type, inputs[name]))]));
    const results = new Map([...this.#parts.outputs].map(([name, type]) => [name, outputs[name] ? fitting(this.name, `the output "${name}"`, type, outputs[name]) : zeros(this.#parts.runtime, type)]));
    const sources = tensors.map((name) => given.get(name)!);
    const targets = this.#loop.outputs.map((name) => numbersOf(results.get(name)!));
    const numbers = scalars.map((name) => given.get(name)![0]!);
    for (let start = 0; start < size; start += PIECE) {
      const length = Math.min(PIECE, size - start);
      sources.forEach((source, page) => { this.#pages[page]!.set(source.subarray(start, start + length)); });
      run(length * Float32Array.BYTES_PER_ELEMENT, ...numbers);
      targets.forEach((target, page) => { target.set(this.#pages[page]!.subarray(0, length), start); });
    }
    return Object.fromEntries(results);
  }

  async dispose(): Promise<void> {
    if (!this.#run) return;
    this.#run = undefined;
    this.#parts.onDispose(this);
  }
}

/** The array itself: programs that are loops run on the CPU only. */
function numbersOf({ native }: OnnxTensor): Float32Array {
  return native.data as Float32Array;
}
