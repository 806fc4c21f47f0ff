// Fixture models as folders with a byte-level BPE tokenizer of 96 tokens, kernels to run commands
// in, and logits.
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODELS, SCORER } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import lora from '@lmflow/plugin-lora';
import models from '@lmflow/plugin-models';
import scoring from '@lmflow/plugin-scoring';
import { createTestKernel, type CapturedLog } from 'lmflow/testing';
import type { Kernel } from 'lmflow';
import exports_ from '../src/index.ts';

export const FIXTURES = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures');

const CHARACTERS = [
  ...'\u0120\u010AabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?()[]{}+-*/=<>"',
];

/** A byte-level tokenizer.json: special tokens, single characters, the merges of " the". */
export function tokenizerJson(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const words = ['<s>', '</s>', ...CHARACTERS, 'th', 'the', '\u0120the'];
  const added = words.slice(0, 2).map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const pre = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: pre,
    post_processor: null,
    decoder: pre,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      merges: ['t h', 'th e', '\u0120 the'],
      byte_fallback: false,
      ignore_merges: false,
    },
    ...changes,
  };
}

export function scratch(name: string): string {
  return mkdtempSync(join(tmpdir(), `lmflow-export-${name}-`));
}

/** A copy of a family's folder with that tokenizer. */
export function modelFolder(
  family: string,
  tokenizer: Record<string, unknown> = tokenizerJson(),
): string {
  const folder = scratch(family);
  cpSync(join(FIXTURES, 'families', family), folder, { recursive: true });
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({
      bos_token: '<s>',
      eos_token: '</s>',
      chat_template: '{{ messages[0].content }}',
    }),
  );
  return folder;
}

/** Runs `work` with a kernel that has this plugin, and closes it. */
export async function withKernel<T>(
  config: Record<string, unknown>,
  work: (kernel: Kernel, log: CapturedLog) => Promise<T>,
): Promise<T> {
  const plugins = [
    engineOnnx(),
    models(),
    scoring(),
    ...('lora' in config ? [lora()] : []),
    exports_(),
  ];
  const { kernel, log } = await createTestKernel({ plugins, config });
  try {
    return await work(kernel, log);
  } finally {
    await kernel.close();
  }
}

export function load(kernel: Kernel, source: string): Promise<Model> {
  return kernel.resolve(MODELS).load({ role: 'reference', purpose: 'inference', source });
}

/** Logits of each row of ids, one after the other. */
export async function logits(
  kernel: Kernel,
  model: Model,
  ids: ArrayLike<number>,
  rows: number,
): Promise<Float32Array> {
  const all = Int32Array.from(ids);
  const length = all.length / rows;
  const parts: number[] = [];
  const run = kernel.resolve(SCORER).open(model);
  for (let row = 0; row < rows; row++) {
    parts.push(...(await run.logits(all.slice(row * length, (row + 1) * length))));
  }
  await run.dispose();
  return Float32Array.from(parts);
}

/** Largest difference in the rows of `width` numbers whose mask is not zero. */
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

/** What a promise fails with. */
export async function failure(
  work: Promise<unknown>,
): Promise<{ readonly code: string; readonly message: string }> {
  try {
    await work;
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error('nothing was thrown');
}
