// The real model of ../shared behind `lmflow serve`, with adapters of made-up numbers, for tests
// and for load.ts.
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTestKernel } from 'lmflow/testing';
import { MODELS } from '@lmflow/sdk';
import { writeSafetensors } from '@lmflow/sdk/formats';
import lora from '@lmflow/plugin-lora';
import inference from '@lmflow/preset-inference';

export const STORIES = resolve(import.meta.dirname, '../../../../shared/models/stories260k');

/** Whether the model is there; says so where it is not. */
export function hasStories(): boolean {
  if (existsSync(STORIES)) return true;
  process.stderr.write('skipped: no ../shared\n');
  return false;
}

/** Saves an adapter with random matrices (B too), so that its answers differ; gives its folder. */
export async function makeAdapter(name: string, seed: number): Promise<string> {
  const folder = join(mkdtempSync(join(tmpdir(), 'lmflow-adapter-')), name);
  mkdirSync(folder);
  const { kernel } = await createTestKernel({
    presets: [inference],
    plugins: [lora()],
    config: { seed, lora: { r: 4, initLoraWeights: false } },
  });
  const { config, tensors } = (
    await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'training', source: STORIES })
  ).adapter!.save();
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config));
  await writeSafetensors(join(folder, 'adapter_model.safetensors'), tensors);
  await kernel.close();
  return folder;
}

/** Runs `work` with `lmflow serve` on a free port. */
export async function withStories(
  config: Readonly<Record<string, unknown>>,
  work: (url: string) => Promise<void>,
): Promise<void> {
  const { kernel, log } = await createTestKernel({
    presets: [inference],
    config: {
      model: STORIES,
      ...config,
      serve: { port: 0, ...(config['serve'] as object | undefined) },
    },
  });
  const controller = new AbortController();
  const run = kernel.run('serve', { signal: controller.signal });
  let over = false;
  const ended = (): void => {
    over = true;
  };
  run.then(ended, ended);
  try {
    for (let tries = 0; tries < 3000 && !over && log.texts('event').length === 0; tries++) {
      await new Promise((wake) => {
        setTimeout(wake, 20);
      });
    }
    if (over) await run;
    await work(
      (log.said.find(({ data }) => data?.['type'] === 'serving')!.data as { url: string }).url,
    );
  } finally {
    controller.abort();
    await run;
    await kernel.close();
  }
}
