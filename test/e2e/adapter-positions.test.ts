// An adapter that was trained on stretched positions is used with them, whoever loads it, and is
// refused where something else asks for others.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { MODELS, SCORER, type LMFlowError } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/preset-lora';
import positionInterpolation from '@lmflow/plugin-position-interpolation';
import { project } from './project.ts';

const folder = project(8);
const source = join(folder, 'base');

async function train(
  presets: readonly (typeof lora)[],
  outputDir: string,
  config: Record<string, unknown>,
): Promise<string> {
  const { kernel } = await createTestKernel({
    presets,
    plugins: 'positionInterpolation' in config ? [positionInterpolation()] : [],
    config: {
      dataset: join(folder, 'data.json'),
      outputDir: join(folder, outputDir),
      maxSteps: 2,
      learningRate: 0.01,
      ...config,
    },
  });
  try {
    await kernel.run('finetune');
  } finally {
    await kernel.close();
  }
  return join(folder, outputDir);
}

interface Loaded {
  readonly rope: unknown;
  readonly maxPositions: number;
  readonly logits: Float32Array;
}

async function loaded(config: Record<string, unknown>): Promise<Loaded> {
  const { kernel } = await createTestKernel({
    presets: [inference],
    plugins: 'positionInterpolation' in config ? [positionInterpolation()] : [],
    config,
  });
  try {
    const model: Model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source });
    const view = model.adapters?.values().next().value ?? model;
    const logits = kernel.resolve(SCORER).open(view);
    const { rope, maxPositions } = model.architecture;
    const numbers = await logits.logits(Int32Array.of(2, 3, 4, 5, 6));
    await logits.dispose();
    return { rope, maxPositions, logits: numbers };
  } finally {
    await kernel.close();
  }
}

const code = async (run: Promise<unknown>): Promise<string> => {
  try {
    await run;
  } catch (error) {
    return (error as LMFlowError).code;
  }
  return 'nothing was thrown';
};

const linear = { type: 'linear', factor: 2 };
const recordOf = (adapter: string): unknown =>
  JSON.parse(readFileSync(join(adapter, 'lmflow_adapter.json'), 'utf8'));

await train([finetune], 'base', { model: join(folder, 'model'), fromScratch: true });
const plain = await train([lora], 'plain', { model: source });
const stretched = await train([lora], 'stretched', {
  model: source,
  positionInterpolation: linear,
});

test('what the base was changed by stands beside the adapter', () => {
  assert.not(existsSync(join(plain, 'lmflow_adapter.json')));
  const { config } = recordOf(stretched) as { config: Record<string, unknown> };
  assert.is(config['max_position_embeddings'], 256);
  assert.match(JSON.stringify(config), /"linear"/);
});

test('an adapter brings the positions it was trained with', async () => {
  const said = await loaded({ lora: { adapter: stretched } });
  assert.is(said.maxPositions, 256);
  const told = await loaded({ lora: { adapter: stretched }, positionInterpolation: linear });
  assert.equal(said.logits, told.logits, 'as with the option, which is not applied twice');
  assert.equal(said.rope, told.rope);
  const named = await loaded({ lora: { adapters: { far: stretched } } });
  assert.equal(named.logits, said.logits);
  assert.is((await loaded({ lora: { adapter: plain } })).maxPositions, 128);
});

test('the base of an adapter by NTK is not stretched twice', async () => {
  const ntk = { type: 'ntk', factor: 2 };
  const adapter = await train([lora], 'ntk', { model: source, positionInterpolation: ntk });
  const alone = await loaded({ lora: { adapter } });
  assert.equal(alone, await loaded({ lora: { adapter }, positionInterpolation: ntk }));
  assert.is(alone.maxPositions, 256);
});

test('training on from it goes on with its positions', async () => {
  const adapter = await train([lora], 'more', { model: source, lora: { adapter: stretched } });
  assert.equal(recordOf(adapter), recordOf(stretched));
});

test('other positions than those of training are refused, by option or by adapters', async () => {
  const other = { type: 'linear', factor: 4 };
  const refusal = 'LMFLOW_ADAPTER_POSITIONS';
  const of = (config: Record<string, unknown>): Promise<string> => code(loaded(config));
  assert.is(await of({ lora: { adapter: stretched }, positionInterpolation: other }), refusal);
  assert.is(await of({ lora: { adapters: { a: stretched, b: plain } } }), refusal);
  assert.is(await of({ lora: { adapters: { a: plain, b: stretched } } }), refusal);
});

test.run();
