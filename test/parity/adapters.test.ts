// Adapters that PEFT saved, loaded here: base and adapter together give PEFT's logits, and saving
// gives PEFT's files back.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  FIXTURES,
  json,
  largestDifference,
  load,
  logitsOf,
  modelFolder,
  tensors,
  withKernel,
} from './family.ts';

const cases = readdirSync(join(FIXTURES, 'adapters')).flatMap((family) =>
  readdirSync(join(FIXTURES, 'adapters', family)).map((kind) => ({ family, kind })),
);

/** Weights of the base that PEFT writes beside an adapter, in case they were changed. */
const isBase = (name: string): boolean => /base_layer\.weight$/.test(name);

for (const { family, kind } of cases) {
  const path = ['adapters', family, kind] as const;
  for (const purpose of ['training', 'inference'] as const) {
    test(`${family} ${kind}, loaded for ${purpose}, gives PEFT's logits`, async () => {
      const reference = await tensors(...path, 'reference.safetensors');
      await withKernel('lora', { lora: { adapter: join(FIXTURES, ...path) } }, async (kernel) => {
        const model = await load(kernel, modelFolder(family), purpose);
        const logits = await logitsOf(kernel, model, reference.get('input_ids')!.data, 2);
        const difference = largestDifference(
          logits,
          reference.get('logits')!.data,
          reference.get('attention_mask')!.data,
          96,
        );
        assert.ok(difference < 1e-5, `logits differ by ${difference}`);
      });
    });
  }

  test(`${family} ${kind}, saved again, has PEFT's keys, shapes and numbers`, async () => {
    const expected = await tensors(...path, 'adapter_model.safetensors');
    await withKernel('lora', { lora: { adapter: join(FIXTURES, ...path) } }, async (kernel) => {
      const { tensors: saved, config } = (
        await load(kernel, modelFolder(family), 'training')
      ).adapter!.save();
      const names = [...expected.keys()].filter((name) => !isBase(name));
      assert.equal([...saved.keys()].sort(), names.sort());
      for (const name of names) {
        const { shape, data } = expected.get(name)!;
        assert.equal(saved.get(name), { shape, data });
      }
      const original = json<Record<string, unknown>>(...path, 'adapter_config.json');
      for (const key of [
        'r',
        'lora_alpha',
        'rank_pattern',
        'alpha_pattern',
        'peft_type',
        'task_type',
        'bias',
        'fan_in_fan_out',
        'modules_to_save',
      ]) {
        assert.equal(config[key], original[key], key);
      }
      for (const key of ['use_rslora', 'use_dora']) {
        assert.is(config[key] ?? false, original[key] ?? false, key);
      }
      assert.equal(config['target_modules'], [...(original['target_modules'] as string[])].sort());
    });
  });
}

test.run();
