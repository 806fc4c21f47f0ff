// Kernels with everything that reward models need, model folders, and the numbers of transformers and
// TRL (fixtures/reference.json, made by reference/reward_models.py).
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTestKernel } from 'lmflow/testing';
import preset from '@lmflow/preset-reward-model';
import lora from '@lmflow/plugin-lora';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

export const fixtures = resolve(import.meta.dirname, 'fixtures');
export const families = resolve(import.meta.dirname, '../../../test/fixtures/families');

interface Log {
  readonly loss: number;
  readonly accuracy: number;
  readonly margin: number;
  readonly min_reward: number;
  readonly mean_reward: number;
  readonly max_reward: number;
}

interface Reference {
  readonly ids: readonly (readonly number[])[];
  readonly families: Readonly<
    Record<
      string,
      {
        readonly score: readonly number[];
        readonly scores: { readonly right: readonly number[]; readonly left: readonly number[] };
        readonly padIsEos?: readonly number[];
      }
    >
  >;
  readonly steps: readonly {
    readonly options: { readonly margin: boolean; readonly center: number | null };
    readonly chosen_ids: readonly (readonly number[])[];
    readonly rejected_ids: readonly (readonly number[])[];
    readonly margin?: readonly number[];
    readonly log: readonly Log[];
  }[];
}

export const readReference = (): Reference =>
  JSON.parse(readFileSync(join(fixtures, 'reference.json'), 'utf8')) as Reference;

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'lmflow-reward-'));

/** A copy of a folder with a tokenizer of made-up words, and keys of config.json changed. */
export function modelFolder(from: string, config: Record<string, unknown> = {}): string {
  const folder = temporaryFolder();
  cpSync(from, folder, { recursive: true });
  writeWordTokenizer(folder);
  const path = join(folder, 'config.json');
  const stored = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...stored, ...config }));
  return folder;
}

type TestKernel = Awaited<ReturnType<typeof createTestKernel>>;

/** Runs `work` in a kernel of the preset, with or without LoRA. */
export async function withKernel<T>(
  config: Record<string, unknown>,
  work: (kernel: TestKernel['kernel'], log: TestKernel['log']) => Promise<T>,
  { adapter = false } = {},
): Promise<T> {
  const { kernel, log } = await createTestKernel({
    presets: [preset],
    plugins: adapter ? [lora()] : [],
    config,
  });
  try {
    return await work(kernel, log);
  } finally {
    await kernel.close();
  }
}
