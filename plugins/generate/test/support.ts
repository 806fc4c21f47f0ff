// Kernels with real models for the tests of this plugin.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestKernel } from 'lmflow/testing';
import { GENERATOR, MODELS, type Model, type TextGenerator } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';

const root = join(import.meta.dirname, '..', '..', '..');
const shared = join(root, '..', 'shared');
export const FAMILIES = join(root, 'test', 'fixtures', 'families');
export const STORIES = join(shared, 'models', 'stories260k');

/** Whether the real model is there; says so where it is not. */
export function hasStories(): boolean {
  if (existsSync(STORIES)) return true;
  console.error('skipped: no ../shared');
  return false;
}

/** What stories260k says greedily from BOS, by the data's README. */
export function expectedStory(): string {
  const readme = readFileSync(join(shared, 'data', 'README.md'), 'utf8');
  return readme.slice(readme.indexOf('Once upon a time')).trimEnd();
}

export interface Loaded { readonly generator: TextGenerator; readonly model: Model; readonly warnings: () => string[] }

/** Runs `work` with a generator and a loaded model. */
export async function withModel<T>(source: string, config: Record<string, unknown>, work: (loaded: Loaded) => Promise<T>): Promise<T> {
  const { kernel, log } = await createTestKernel({ presets: [inference], config });
  try {
    const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source });
    return await work({ generator: kernel.resolve(GENERATOR), model, warnings: () => log.texts('warn') });
  } finally {
    await kernel.close();
  }
}
