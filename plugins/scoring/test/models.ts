// Kernels with a model of the fixtures and its scorer.
import { cpSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MODELS, SCORER, type Scorer } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { readSafetensors } from '@lmflow/sdk/formats';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import models from '@lmflow/plugin-models';
import { createTestKernel } from 'lmflow/testing';
import scoring from '../src/index.ts';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

const fixtures = resolve(import.meta.dirname, '../../../test/fixtures/families');

/** A copy of a family's folder with a tokenizer of made-up words. */
export function familyFolder(family: string): string {
  const folder = mkdtempSync(join(tmpdir(), `lmflow-scoring-${family}-`));
  cpSync(join(fixtures, family), folder, { recursive: true });
  writeWordTokenizer(folder);
  return folder;
}

/** What transformers gave for a family: two rows of 24 tokens, the second padded from 18 on. */
export async function reference(family: string): Promise<{
  readonly rows: readonly Int32Array[];
  readonly labels: readonly Int32Array[];
  /** [2 x 24, 96] */
  readonly logits: Float32Array;
  /** Mean over the labelled tokens. */
  readonly loss: number;
}> {
  const tensors = await readSafetensors(join(fixtures, family, 'reference.safetensors'));
  const { loss } = JSON.parse(readFileSync(join(fixtures, family, 'reference.json'), 'utf8')) as {
    readonly loss: number;
  };
  const cut = (name: string): Int32Array[] => {
    const all = Int32Array.from(tensors.get(name)!.data);
    return [all.slice(0, 24), all.slice(24, 42)];
  };
  return {
    rows: cut('input_ids'),
    labels: cut('labels'),
    logits: tensors.get('logits')!.data,
    loss,
  };
}

/** Runs `work` with a model of a folder, loaded for inference, and closes the kernel. */
export async function withScorer<T>(
  source: string,
  work: (scorer: Scorer, model: Model) => Promise<T>,
  config: Record<string, unknown> = {},
): Promise<T> {
  const { kernel } = await createTestKernel({
    plugins: [engineOnnx(), models(), scoring()],
    config,
  });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'reference', purpose: 'inference', source });
    return await work(kernel.resolve(SCORER), model);
  } finally {
    await kernel.close();
  }
}
