// A policy without its adapter is the model that it was made from: the reference of preference
// training, without a second copy of the weights.
import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GENERATOR, MODELS, SCORER, type TextResult } from '@lmflow/sdk';
import { withoutAdapter, type Model } from '@lmflow/sdk/model';
import loraPlugin from '../src/index.ts';
import inference from '@lmflow/preset-inference';
import { createTestKernel } from 'lmflow/testing';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

const ROW = Int32Array.from({ length: 12 }, (_, index) => (index * 7) % 90);

/** A fixture model with a tokenizer of made-up words. */
function fixture(family: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-without-'));
  const families = resolve(import.meta.dirname, '../../../test/fixtures/families');
  cpSync(join(families, family), folder, { recursive: true });
  writeWordTokenizer(folder);
  return folder;
}

type Kernel = Awaited<ReturnType<typeof createTestKernel>>['kernel'];

/** The model with an adapter that changes what it says, and without one. */
async function both<T>(
  family: string,
  lora: Record<string, unknown>,
  use: (kernel: Kernel, policy: Model, base: Model) => Promise<T>,
): Promise<T> {
  const source = fixture(family);
  const { kernel } = await createTestKernel({
    presets: [inference],
    plugins: [loraPlugin()],
    config: { lora: { r: 2, initLoraWeights: false, ...lora } },
  });
  const load = (role: 'policy' | 'reference', purpose: 'training' | 'inference'): Promise<Model> =>
    kernel.resolve(MODELS).load({ role, purpose, source });
  try {
    const policy = await load('policy', 'training');
    for (const { data } of policy.parameters.values()) {
      data.forEach((number, index) => (data[index] = number + 0.1 * Math.sin(index)));
    }
    return await use(kernel, policy, await load('reference', 'inference'));
  } finally {
    await kernel.close();
  }
}

for (const [family, lora] of [
  ['llama', {}],
  ['llama-tied', { modulesToSave: ['embed_tokens'] }],
  ['llama-tied', { modulesToSave: ['lm_head'], ensureWeightTying: true }],
  ['llama-tied', { targetModules: ['lm_head'] }],
  ['gpt2', { useDora: true }],
] as const) {
  test(`${family} ${JSON.stringify(lora)}: its logits are the base model's, and no parameter is fed`, async () => {
    await both(family, lora, async (kernel, policy, base) => {
      const logits = (model: Model): Promise<Float32Array> =>
        kernel.resolve(SCORER).open(model).logits(ROW);
      const reference = withoutAdapter(policy);
      assert.is(reference.parameters.size, 0);
      assert.is(reference.base, policy);
      assert.is(reference.weights, policy.weights);
      assert.equal(await logits(reference), await logits(base));
      assert.not.equal(await logits(policy), await logits(base), 'the adapter counts');
      assert.ok(policy.adapter && policy.parameters.size > 0, 'the policy keeps its adapter');
    });
  });
}

test('it generates as the base model does, also after the policy has', async () => {
  await both('llama', {}, async (kernel, policy, base) => {
    const answer = async (model: Model): Promise<number[]> => {
      const options = { maxNewTokens: 8, doSample: false };
      const [found] = (await kernel
        .resolve(GENERATOR)
        .inference({ model, prompt: ROW, options })) as [TextResult];
      return [...found.ids];
    };
    const adapted = await answer(policy);
    const found = await answer(withoutAdapter(policy));
    assert.equal(found, await answer(base));
    assert.not.equal(found, adapted);
  });
});

test('a model without an adapter is its own', async () => {
  await both('llama', {}, async (_kernel, _policy, base) => {
    assert.is(withoutAdapter(base), base);
  });
});

test.run();
