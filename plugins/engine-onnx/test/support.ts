// Compares programs on the engine with the float64 interpreter. Helpers of the tests, not tests.
import * as assert from 'uvu/assert';
import {
  Graph,
  grad,
  interpret,
  isFloat,
  mul,
  ndarray,
  sizeOf,
  sum,
  type DType,
  type NdArray,
  type Shape,
  type TypedArray,
  type Value,
} from '@lmflow/sdk/graph';
import type { Program, Tensor, TensorMap } from '@lmflow/sdk';
import { OnnxEngine } from '../src/engine.ts';
import { createLowerings } from '../src/lowerings/index.ts';
import type { EngineOptionsInput } from '../src/index.ts';
import type { Lowerings } from '../src/lowerings/lowering.ts';
import { schema } from '../src/options.ts';

export function engineWith(
  options: EngineOptionsInput = {},
  lowerings: Lowerings = createLowerings(),
): OnnxEngine {
  return new OnnxEngine({
    options: schema.parse({ threads: 2, ...options }),
    device: 'cpu',
    lowerings,
  });
}

export const engine = engineWith();

/** A small deterministic generator (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Fill = (next: () => number) => number;
export const normal: Fill = (next) =>
  Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
export const positive: Fill = (next) => 0.2 + 2 * next();
export const below =
  (limit: number): Fill =>
  (next) =>
    Math.floor(next() * limit);

const arrays = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

export function arrayOf(dtype: DType, numbers: ArrayLike<number>): TypedArray {
  if (dtype === 'int64') return BigInt64Array.from(Array.from(numbers, (number) => BigInt(number)));
  return arrays[dtype as 'float32'].from(numbers);
}

/** A graph under construction together with the numbers of its inputs. */
export class Case {
  readonly graph = new Graph();
  readonly numbers: Record<string, NdArray> = {};
  readonly next: () => number;

  constructor(seed: number) {
    this.next = random(seed);
  }

  /** A size from 1 to `most`. */
  size(most: number): number {
    return 1 + Math.floor(this.next() * most);
  }

  input(
    shape: Shape,
    dtype: DType = 'float32',
    fill: Fill = dtype === 'float32' ? normal : below(2),
  ): Value {
    const name = `input ${Object.keys(this.numbers).length}`;
    const data = Float64Array.from({ length: sizeOf(shape) }, () => fill(this.next));
    this.numbers[name] = {
      shape,
      data: dtype === 'float32' ? Float64Array.from(Float32Array.from(data)) : data,
    };
    return this.graph.input(name, dtype, shape);
  }

  /**
   * Names outputs, and the gradients by `parameters` of a randomly weighted sum of the first
   * (float) outputs.
   */
  finish(outputs: readonly Value[], parameters: readonly Value[] = []): void {
    outputs.forEach((value, index) => this.graph.output(`output ${index}`, value));
    if (parameters.length === 0) return;
    const terms = outputs.filter((value) => isFloat(value.dtype)).slice(0, 1);
    const loss = sum(mul(terms[0]!, this.input(terms[0]!.shape)));
    grad(loss, parameters).forEach((gradient, index) =>
      this.graph.output(`gradient ${index}`, gradient),
    );
  }
}

export async function upload(
  graph: Graph,
  numbers: Readonly<Record<string, NdArray>>,
  on: OnnxEngine = engine,
): Promise<TensorMap> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, { dtype, shape }] of graph.inputs) {
    tensors[name] = await on.upload(arrayOf(dtype, numbers[name]!.data), shape, dtype);
  }
  return tensors;
}

export async function runOnce(
  graph: Graph,
  numbers: Readonly<Record<string, NdArray>>,
  on: OnnxEngine = engine,
): Promise<Record<string, NdArray>> {
  const program = await on.compile(graph);
  try {
    return await results(program, await upload(graph, numbers, on));
  } finally {
    await program.dispose();
  }
}

export async function results(
  program: Program,
  inputs: TensorMap,
  outputs?: TensorMap,
): Promise<Record<string, NdArray>> {
  const tensors = Object.entries(await program.run(inputs, outputs));
  return Object.fromEntries(
    await Promise.all(
      tensors.map(
        async ([name, tensor]) =>
          [name, ndarray(tensor.shape, Array.from(await tensor.read(), Number))] as const,
      ),
    ),
  );
}

/**
 * Runs a case on both and compares every output: the largest difference against the largest number
 * of the tensor.
 */
export async function check(
  test: Case,
  {
    tolerance = 1e-4,
    on = engine,
    readWeight,
  }: { tolerance?: number; on?: OnnxEngine; readWeight?: (weight: never) => NdArray } = {},
): Promise<void> {
  const expected = interpret(
    test.graph,
    test.numbers,
    readWeight ? { readWeight: readWeight as never } : {},
  );
  const actual = await runOnce(test.graph, test.numbers, on);
  for (const [name, { dtype }] of test.graph.outputs) {
    close(name, actual[name]!, expected[name]!, isFloat(dtype) ? tolerance : 0);
  }
}

export function close(name: string, actual: NdArray, expected: NdArray, tolerance: number): void {
  assert.equal(actual.shape, expected.shape, `${name}: shape`);
  const scale = expected.data.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
  expected.data.forEach((number, index) => {
    const difference = Math.abs(number - actual.data[index]!);
    if (!(difference <= tolerance * scale + (tolerance ? 1e-6 : 0))) {
      assert.unreachable(
        `${name}[${index}]: ${actual.data[index]}, not ${number} (scale ${scale})`,
      );
    }
  });
}
