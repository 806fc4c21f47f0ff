// Options that name a file or a folder, given a named pipe that nobody writes to, or a device: an
// error that says what it is, at once.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import { createTestKernel } from 'lmflow/testing';
import { isLMFlowError, type LMFlowError } from '@lmflow/sdk';
import type { Run } from './commands-in-process.ts';
import { fixtureModel } from './fixture-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'lmflow-pipes-'));
const pipe = join(folder, 'pipe');
const [adapter, checkpoint] = [join(folder, 'adapter'), join(folder, 'checkpoint-1')];
for (const path of [adapter, checkpoint]) mkdirSync(path);
const model = fixtureModel();
const dataset = join(folder, 'data.json');
writeFileSync(
  dataset,
  JSON.stringify({ type: 'text_only', instances: [{ text: 't3 t4 t5 t6 t7' }] }),
);

const PIPE = /is a named pipe, not a regular file/;
const training = { presets: [finetune], model, dataset, outputDir: join(folder, 'out') };
const inferring = { presets: [inference], model };
const generate = { command: 'generate', config: inferring, positionals: ['t3'] };
const cases: Readonly<Record<string, readonly [run: Run, code: string, says: RegExp]>> = {
  prompts: [{ ...generate, options: { prompts: pipe } }, 'LMFLOW_GENERATE_PROMPTS_INVALID', PIPE],
  chatTemplate: [
    { ...generate, config: { ...inferring, chatTemplate: pipe } },
    'LMFLOW_DATASET_UNREADABLE',
    PIPE,
  ],
  output: [{ ...generate, options: { output: pipe } }, 'LMFLOW_OUTPUT_UNWRITABLE', /ENXIO/],
  'a file of lora.adapter': [
    { ...generate, config: { ...inferring, lora: { adapter } } },
    'LMFLOW_ADAPTER_INVALID',
    PIPE,
  ],
  'lora.adapter': [
    { ...generate, config: { ...inferring, lora: { adapter: pipe } } },
    'LMFLOW_ADAPTER_NOT_FOUND',
    /no such file/,
  ],
  model: [
    { ...generate, config: { ...inferring, model: pipe } },
    'LMFLOW_MODEL_NOT_FOUND',
    /is a named pipe$/,
  ],
  'quantize.text': [
    {
      command: 'quantize',
      config: { ...inferring, quantize: { bits: 8 } },
      options: { text: pipe },
    },
    'LMFLOW_QUANTIZE_TEXT',
    PIPE,
  ],
  'outputDir of export': [
    {
      command: 'export',
      config: { ...inferring, outputDir: pipe },
      options: { format: 'safetensors' },
    },
    'LMFLOW_OUTPUT_UNWRITABLE',
    /is a named pipe, not a folder/,
  ],
  dataset: [
    { command: 'finetune', config: { ...training, dataset: pipe } },
    'LMFLOW_DATASET_UNREADABLE',
    PIPE,
  ],
  'dataset: /dev/zero': [
    { command: 'finetune', config: { ...training, dataset: '/dev/zero' } },
    'LMFLOW_DATASET_UNREADABLE',
    /is a device, not a regular file/,
  ],
  outputDir: [
    { command: 'finetune', config: { ...training, outputDir: pipe } },
    'LMFLOW_OUTPUT_UNWRITABLE',
    /is a named pipe, not a folder/,
  ],
  resumeFromCheckpoint: [
    { command: 'finetune', config: { ...training, resumeFromCheckpoint: checkpoint } },
    'LMFLOW_CHECKPOINT_INVALID',
    /lmflow_state\.json is a named pipe/,
  ],
};

async function errorOf({ command, config, ...request }: Run): Promise<LMFlowError> {
  const { kernel } = await createTestKernel({ config });
  try {
    await kernel.run(command, request);
  } catch (error) {
    if (isLMFlowError(error)) return error;
    throw error;
  } finally {
    await kernel.close();
  }
  throw new Error('nothing was thrown');
}

if (process.platform === 'win32') process.stdout.write('skipped: no named pipes\n');
else {
  const inside = [join(adapter, 'adapter_config.json'), join(checkpoint, 'lmflow_state.json')];
  for (const path of [pipe, ...inside]) execFileSync('mkfifo', [path]);
  for (const [name, [run, code, says]] of Object.entries(cases)) {
    test(name, async () => {
      const error = await errorOf(run);
      assert.is(error.code, code, error.message);
      assert.match(error.message, says);
    });
  }
}

test('prompts with a text: how it is given', async () => {
  const { code, message, hint } = await errorOf({ ...generate, options: { prompts: 'once upon' } });
  assert.is(code, 'LMFLOW_GENERATE_PROMPTS_INVALID');
  assert.match(message, 'there is no file "once upon" with prompts');
  assert.match(hint!, 'lmflow generate "TEXT"');
});

test.run();
