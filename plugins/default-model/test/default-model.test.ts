// The model in this package: small, complete, licensed, found by its name, and right about what its
// card says it knows.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { GENERATOR, MODELS } from '@lmflow/sdk';
import { SafetensorsFile } from '@lmflow/sdk/formats';
import inference from '@lmflow/preset-inference';

const test = suite('default model');
const folder = fileURLToPath(new URL('../model/', import.meta.url));
const root = fileURLToPath(new URL('../../../', import.meta.url));

test('is what transformers loads, in float16, in less than 10 MB', async () => {
  const files = readdirSync(folder).sort();
  assert.equal(files, [
    'NOTICE',
    'README.md',
    'chat_template.jinja',
    'config.json',
    'generation_config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ]);
  const bytes = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  assert.ok(bytes < 10e6, `${bytes} bytes`);
  const { tensors } = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  assert.equal([...new Set([...tensors.values()].map(({ dtype }) => dtype))], ['F16']);
});

test('has the licences of its sources with it', () => {
  const notice = readFileSync(join(folder, 'NOTICE'), 'utf8');
  assert.match(notice, 'Copyright 2006 by Princeton University.  All rights reserved.');
  assert.match(notice, 'THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS"');
  assert.match(notice, 'countries-list');
  assert.match(notice, 'chemical-elements');
});

test('answers what it knows', async () => {
  const { kernel } = await createTestKernel({ config: { presets: [inference], model: 'default' } });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ source: 'default', role: 'policy', purpose: 'inference' });
    for (const [question, answer] of KNOWN) {
      const prompt = [{ role: 'user' as const, content: question }];
      const [result] = await kernel.resolve(GENERATOR).inference({ model, prompt });
      assert.is(result!.text.trim(), answer);
      assert.is(result!.finishReason, 'stop');
    }
  } finally {
    await kernel.close();
  }
});

const KNOWN = [
  ['What is the capital of France?', 'The capital of France is Paris.'],
  ['What is the opposite of hot?', 'The opposite of hot is cold.'],
  ['What is a violin?', 'A violin is a kind of musical instrument.'],
  ['What is the symbol of iron?', 'The symbol of iron is Fe.'],
] as const;

test('lmflow chat takes it where no model is named, and says so', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--conditions=lmflow-source', '--import', 'tsx', 'kernel/src/cli.ts', 'chat'],
    { cwd: root, input: 'What is the capital of France?\n', encoding: 'utf8' },
  );
  assert.is(status, 0, stderr);
  assert.match(stdout, 'The capital of France is Paris.');
  assert.match(stdout + stderr, /no model is named: this is the default model/);
});

test.run();
