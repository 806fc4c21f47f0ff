// Loads the fixtures of test/fixtures through the product: a kernel with the real plugins, a model
// folder completed with a tokenizer.
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKernel, type Kernel } from 'lmflow';
import { ENGINE, MODELS, type Pluggable, type Tensor } from '@lmflow/sdk';
import { forward, type Model, type Trace } from '@lmflow/sdk/model';
import { Graph, matMul, type Value } from '@lmflow/sdk/graph';
import { readSafetensors, type TensorFile } from '@lmflow/sdk/formats';
import finetune from '@lmflow/preset-finetune';
import ia3 from '@lmflow/plugin-ia3';
import vera from '@lmflow/plugin-vera';
import lora from '@lmflow/preset-lora';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

export const FIXTURES = join(import.meta.dirname, '..', 'fixtures');

/** The adapter from which the reference's steps on the family llama start. */
export const INITIAL_ADAPTER = join(FIXTURES, 'steps', 'llama', 'lora', 'initial');

/** Plugins of PEFT's methods beside LoRA, by the names of their sections. */
export const ADAPTER_PLUGINS: Readonly<Record<string, Pluggable>> = { ia3, vera };

/**
 * A copy of a family's folder with a tokenizer of 96 made-up words: the fixtures speak in token
 * ids.
 */
export function modelFolder(family: string): string {
  const folder = mkdtempSync(join(tmpdir(), `lmflow-${family}-`));
  cpSync(join(FIXTURES, 'families', family), folder, { recursive: true });
  writeWordTokenizer(folder);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));
  return folder;
}

export function json<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(FIXTURES, ...path), 'utf8')) as T;
}

export function tensors(...path: string[]): Promise<TensorFile> {
  return readSafetensors(join(FIXTURES, ...path));
}

/** Gives a new adapter the numbers of INITIAL_ADAPTER; a model without one stays as it is. */
export async function setInitialAdapter({ adapter }: Model): Promise<void> {
  const numbers = await readSafetensors(join(INITIAL_ADAPTER, 'adapter_model.safetensors'));
  for (const { name, data } of adapter?.parameters ?? []) {
    data.set(numbers.get(`base_model.model.${name}`)!.data);
  }
}

/** Runs `work` with a kernel of the preset, and closes it. */
export async function withKernel<T>(
  preset: 'finetune' | 'lora',
  config: Record<string, unknown>,
  work: (kernel: Kernel) => Promise<T>,
): Promise<T> {
  const kernel = await createKernel({ presets: [preset === 'lora' ? lora : finetune], ...config });
  try {
    return await work(kernel);
  } finally {
    await kernel.close();
  }
}

export function load(
  kernel: Kernel,
  source: string,
  purpose: 'training' | 'inference',
): Promise<Model> {
  return kernel.resolve(MODELS).load({ role: 'policy', purpose, source });
}

/** A trace of [batchSize, length] tokens; batch tensors become int32 inputs of the same name. */
export function traceOf(
  model: Model,
  batchSize: number,
  length: number,
  mode: Trace['mode'],
): Trace {
  const graph = new Graph();
  const input = (name: string): Value => graph.input(name, 'int32', [batchSize, length]);
  return {
    graph,
    model,
    batchSize,
    length,
    mode,
    input,
    positions: input('positions'),
    dropoutMask: () => {
      throw new Error('these models have no dropout');
    },
  };
}

/** Inputs of a trace's program: ids, positions 0.., further int32 tensors, and every parameter. */
export async function feeds(
  kernel: Kernel,
  { graph, model, batchSize, length }: Trace,
  given: Readonly<Record<string, ArrayLike<number>>>,
): Promise<Record<string, Tensor>> {
  const engine = kernel.resolve(ENGINE);
  const positions = Int32Array.from({ length: batchSize * length }, (_, index) => index % length);
  const result: Record<string, Tensor> = {};
  for (const [name, { shape, dtype }] of graph.inputs) {
    const parameter = model.parameters.get(name.replace(/^parameter:/, ''));
    const data = name.startsWith('parameter:')
      ? parameter!.data
      : Int32Array.from(name === 'positions' ? positions : given[name]!);
    result[name] = await engine.upload(data, shape, dtype);
  }
  return result;
}

/** Logits [batchSize, length, vocabulary] for rows of token ids. */
export async function logitsOf(
  kernel: Kernel,
  model: Model,
  inputIds: ArrayLike<number>,
  batchSize: number,
): Promise<Float32Array> {
  const trace = traceOf(
    model,
    batchSize,
    inputIds.length / batchSize,
    model.parameters.size > 0 ? 'evaluation' : 'inference',
  );
  const { hidden, weight } = forward(trace);
  trace.graph.output('logits', matMul(hidden, weight, { transposeB: true }));
  const program = await kernel.resolve(ENGINE).compile(trace.graph);
  const { logits } = await program.run(await feeds(kernel, trace, { inputIds }));
  return Float32Array.from((await logits!.read()) as Float32Array);
}

/** Largest difference where `mask` (one number per row of `width`) is not zero. */
export function largestDifference(
  found: Float32Array,
  expected: Float32Array,
  mask: ArrayLike<number>,
  width: number,
): number {
  let largest = 0;
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(found[index]! - expected[index]!);
    if (mask[Math.floor(index / width)] && !(difference <= largest)) largest = difference;
  }
  return largest;
}
