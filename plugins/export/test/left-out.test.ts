// Parameters of another plugin that no export holds: refused by name, never left out in silence.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import inference from '@lmflow/preset-inference';
import { MODELS, MODEL_WRITER, definePlugin } from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';
import { failure, modelFolder, scratch } from './folders.ts';

const gates = definePlugin({
  name: 'lmflow-plugin-gates',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply({ hooks }) {
    hooks.onModelLoad.tap('adapters', (model) => {
      const gate = { name: 'gates.0', shape: [2], data: new Float32Array(2), decay: false };
      model.parameters.set(gate.name, gate);
    });
  },
});

for (const format of ['safetensors', 'peft', 'gguf', 'onnx']) {
  test(`${format}: parameters that are neither weights nor an adapter's`, async () => {
    const outputDir = join(scratch('gates'), 'out');
    const { kernel } = await createTestKernel({
      presets: [inference],
      plugins: [gates],
      config: { model: modelFolder('llama'), outputDir },
    });
    const { code, message } = await failure(kernel.run('export', { options: { format } }));
    assert.is(code, 'LMFLOW_MODEL_PARAMETERS_LEFT_OUT');
    assert.match(message, /gates\.0/);
    assert.not(existsSync(outputDir));
    await kernel.close();
  });
}

for (const action of ['make', 'apply']) {
  test(`delta ${action}: parameters that are neither weights nor an adapter's`, async () => {
    const outputDir = join(scratch('gates'), 'out');
    const { kernel } = await createTestKernel({
      presets: [inference],
      plugins: [gates],
      config: { outputDir },
    });
    const positionals = [action, modelFolder('llama'), modelFolder('llama')];
    const { code, message } = await failure(kernel.run('delta', { positionals }));
    assert.is(code, 'LMFLOW_MODEL_PARAMETERS_LEFT_OUT');
    assert.match(message, /gates\.0/);
    assert.not(existsSync(outputDir));
    await kernel.close();
  });
}

test('the writer refuses them where it merges; in training they have files of their own', async () => {
  const source = modelFolder('llama');
  const { kernel } = await createTestKernel({ presets: [inference], plugins: [gates] });
  const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source });
  const writer = kernel.resolve(MODEL_WRITER);
  const merged = writer.write(model, scratch('merged'), { mergeAdapter: true });
  assert.is((await failure(merged)).code, 'LMFLOW_MODEL_PARAMETERS_LEFT_OUT');
  assert.ok((await writer.write(model, scratch('written'))).includes('model.safetensors'));
  await kernel.close();
});

test.run();
