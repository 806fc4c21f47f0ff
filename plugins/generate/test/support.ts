// Kernels with real models for the tests of this plugin.
import { cpSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestKernel } from 'lmflow/testing';
import { GENERATOR, MODELS, type TextGenerator } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import inference from '@lmflow/preset-inference';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

const root = join(import.meta.dirname, '..', '..', '..');
const shared = join(root, '..', 'shared');
export const FAMILIES = join(root, 'test', 'fixtures', 'families');
export const STORIES = join(shared, 'models', 'stories260k');

/** Whether the real model is there; says so where it is not. */
export function hasStories(): boolean {
  if (existsSync(STORIES)) return true;
  process.stderr.write('skipped: no ../shared\n');
  return false;
}

/** What stories260k says greedily from BOS, by the data's README. */
export function expectedStory(): string {
  const readme = readFileSync(join(shared, 'data', 'README.md'), 'utf8');
  return readme.slice(readme.indexOf('Once upon a time')).trimEnd();
}

export interface Loaded {
  readonly generator: TextGenerator;
  readonly model: Model;
  readonly warnings: () => string[];
}

/** Runs `work` with a generator and a loaded model. */
export async function withModel<T>(
  source: string,
  config: Record<string, unknown>,
  work: (loaded: Loaded) => Promise<T>,
): Promise<T> {
  const { kernel, log } = await createTestKernel({ presets: [inference], config });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source });
    return await work({
      generator: kernel.resolve(GENERATOR),
      model,
      warnings: () => log.texts('warn'),
    });
  } finally {
    await kernel.close();
  }
}

/**
 * A copy of a family's folder with a tokenizer of 96 made-up words: the fixtures speak in token
 * ids.
 */
export function familyFolder(family: string): string {
  const folder = mkdtempSync(join(tmpdir(), `lmflow-${family}-`));
  cpSync(join(FAMILIES, family), folder, { recursive: true });
  writeWordTokenizer(folder);
  writeFileSync(join(folder, 'tokenizer_config.json'), '{}');
  return folder;
}

export interface Case {
  readonly prompt: readonly number[];
  readonly ids: readonly number[];
  readonly logprobs: readonly number[];
}
export interface ProcessedCase {
  readonly prompt: readonly number[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly ids: readonly number[];
}
export interface BeamCase {
  readonly family: string;
  readonly prompt: readonly number[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly eos: readonly number[];
  readonly ids: readonly (readonly number[])[];
  readonly scores: readonly number[];
}

/** What transformers generates (reference/generation.py). */
export const reference = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'generation.json'), 'utf8'),
) as {
  readonly greedy: Readonly<Record<string, readonly Case[]>>;
  readonly processed: readonly ProcessedCase[];
  readonly beams: readonly BeamCase[];
};
