// What adapters replace of a model: the building functions that their modules need, and no other, so
// that `lmflow inspect` shows what a configuration changes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { MODELS, type UserConfig } from '@lmflow/sdk';
import { writeSafetensors } from '@lmflow/sdk/formats';
import { writeTinyModel } from '@lmflow/sdk/testing';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import ia3 from '@lmflow/plugin-ia3';
import lora from '@lmflow/plugin-lora';
import vera from '@lmflow/plugin-vera';

const model = await writeTinyModel();
const plugins = { lora, ia3, vera };
type Method = keyof typeof plugins;

/** The building functions that the method's plugin replaces. */
async function wrapsOf(method: Method, config: UserConfig, save?: string): Promise<string> {
  const { kernel } = await createTestKernel({
    presets: [save === '' ? inference : finetune],
    plugins: [plugins[method]],
    config,
  });
  try {
    const purpose = save === '' ? 'inference' : 'training';
    const loaded = await kernel.resolve(MODELS).load({ role: 'policy', purpose, source: model });
    if (save) {
      const { config: settings, tensors } = loaded.adapter!.save();
      mkdirSync(save);
      writeFileSync(join(save, 'adapter_config.json'), JSON.stringify(settings));
      await writeSafetensors(join(save, 'adapter_model.safetensors'), tensors);
    }
    return loaded.wraps
      .filter(({ by }) => by === `@lmflow/plugin-${method}`)
      .map(({ building }) => building)
      .join(' ');
  } finally {
    await kernel.close();
  }
}

const rows: readonly (readonly [Method, Readonly<Record<string, unknown>>, string])[] = [
  ['lora', {}, 'project'],
  ['lora', { targetModules: ['lm_head'] }, 'head logits'],
  ['lora', { targetModules: ['q_proj', 'lm_head'] }, 'project head logits'],
  ['lora', { targetModules: ['q_proj', 'embed_tokens'] }, 'project embed'],
  ['lora', { targetModules: ['embed_tokens'] }, 'embed'],
  ['lora', { trainableTokenIndices: [3] }, 'project embed'],
  ['lora', { modulesToSave: ['lm_head'] }, 'project'],
  ['lora', { initLoraWeights: 'loftq' }, 'project weight'],
  ['ia3', {}, 'project'],
  ['ia3', { targetModules: ['lm_head'], feedforwardModules: [] }, 'head logits'],
  ['ia3', { targetModules: ['k_proj', 'lm_head'], feedforwardModules: [] }, 'project head logits'],
  ['vera', { r: 2 }, 'project'],
  ['vera', { r: 2, targetModules: ['lm_head'] }, 'head logits'],
  ['vera', { r: 2, targetModules: ['q_proj', 'lm_head'] }, 'project head logits'],
];

for (const [method, section, expected] of rows) {
  test(`${method} with ${JSON.stringify(section)} replaces ${expected}`, async () => {
    assert.is(await wrapsOf(method, { [method]: section }), expected);
  });
}

test('adapters by name: what one of them needs', async () => {
  const folder = join(model, '..', `${model.split('/').pop()}-adapters`);
  mkdirSync(folder);
  const [plain, head] = [join(folder, 'plain'), join(folder, 'head')];
  await wrapsOf('lora', { lora: { targetModules: ['v_proj'] } }, plain);
  await wrapsOf('lora', { lora: { targetModules: ['lm_head'] } }, head);
  assert.is(await wrapsOf('lora', { lora: { adapters: { plain } } }, ''), 'project');
  assert.is(
    await wrapsOf('lora', { lora: { adapters: { plain, head } } }, ''),
    'project head logits',
  );
  assert.is(await wrapsOf('lora', {}, ''), '');
});

test.run();
