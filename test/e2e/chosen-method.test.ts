// Which method trains: the one that was asked for. The preset inference brings the plugin for
// adapters, and does not make a finetuning one with adapters.
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/plugin-lora';
import loraPreset from '@lmflow/preset-lora';
import lisa from '@lmflow/plugin-lisa';
import type { Pluggable } from '@lmflow/sdk';
import { project } from './project.ts';

const folder = project(8);
const config = {
  model: join(folder, 'model'),
  dataset: join(folder, 'data.json'),
  outputDir: join(folder, 'out'),
  fromScratch: true,
};

async function methodOf(
  presets: readonly Pluggable[],
  plugins: readonly Pluggable[] = [],
  more: object = {},
): Promise<string> {
  const { kernel, log } = await createTestKernel({
    presets,
    plugins,
    config: { ...config, ...more },
  });
  try {
    await kernel.run('finetune', { options: { dryRun: true } });
  } finally {
    await kernel.close();
  }
  const [title, first] = log
    .texts('table')
    .find((text) => text.startsWith('Plan'))!
    .split('\n');
  assert.is(title, 'Plan');
  return first!;
}

test('the first line of the plan names the method', async () => {
  assert.is(await methodOf([finetune]), 'method: full finetuning');
  assert.is(await methodOf([finetune, inference]), 'method: full finetuning');
  assert.is(await methodOf([inference, finetune]), 'method: full finetuning');
  const withLora = 'method: LoRA (r 8, alpha 16, 14 linears)';
  assert.is(await methodOf([loraPreset]), withLora);
  assert.is(await methodOf([loraPreset, inference]), withLora);
  assert.is(await methodOf([inference, loraPreset]), withLora);
  assert.is(await methodOf([finetune, inference], [lora()]), withLora);
  assert.is(
    await methodOf([finetune], [lisa({ layers: 1 })]),
    'method: LISA (1 of 2 blocks at a time)',
  );
});

test("options of a method that was not asked for are refused, with the preset's name", async () => {
  try {
    await methodOf([finetune, inference], [], { lora: { r: 4 } });
    assert.unreachable();
  } catch (error) {
    const { code, message, hint } = error as { code: string; message: string; hint: string };
    assert.is(code, 'LMFLOW_PLUGIN_INFERENCE_ONLY');
    assert.match(message, /lora\.r is set/);
    assert.match(hint, /Add "lora" to plugins or choose its preset/);
  }
});

test.run();
