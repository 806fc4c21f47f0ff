// Adapters that PEFT saved, loaded here: base and adapter together give PEFT's logits, and saving
// gives PEFT's files back.
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeSafetensors } from '@lmflow/sdk/formats';
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
  // Logits reach 20. PEFT decomposes in float32, and these models amplify what that rounds.
  const limit = kind.startsWith('pissa') ? 5e-5 : 2e-5;
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
        assert.ok(difference < limit, `logits differ by ${difference}`);
      });
    });
  }

  const { init_lora_weights: initial } = json<{ init_lora_weights: unknown }>(
    ...path,
    'adapter_config.json',
  );
  if (/^pissa|^olora/.test(String(initial))) {
    test(`${family} ${kind}, saved again, is plain LoRA of twice the rank with PEFT's logits`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'lmflow-widened-'));
      await withKernel('lora', { lora: { adapter: join(FIXTURES, ...path) } }, async (kernel) => {
        const model = await load(kernel, modelFolder(family), 'training');
        const { config, tensors: saved } = model.adapter!.save();
        assert.is(config['init_lora_weights'], true);
        assert.is(config['r'], 2 * json<{ r: number }>(...path, 'adapter_config.json').r);
        writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config));
        await writeSafetensors(join(folder, 'adapter_model.safetensors'), saved);
      });
      await withKernel('lora', { lora: { adapter: folder } }, async (kernel) => {
        const reference = await tensors(...path, 'reference.safetensors');
        const model = await load(kernel, modelFolder(family), 'inference');
        const difference = largestDifference(
          await logitsOf(kernel, model, reference.get('input_ids')!.data, 2),
          reference.get('logits')!.data,
          reference.get('attention_mask')!.data,
          96,
        );
        assert.ok(difference < limit, `logits differ by ${difference}`);
      });
    });
    continue;
  }

  test(`${family} ${kind}, saved again, has PEFT's keys, shapes and numbers`, async () => {
    const expected = await tensors(...path, 'adapter_model.safetensors');
    await withKernel('lora', { lora: { adapter: join(FIXTURES, ...path) } }, async (kernel) => {
      const { tensors: saved, config } = (
        await load(kernel, modelFolder(family), 'training')
      ).adapter!.save();
      // A frozen tied embedding is loaded into the head too; a trained one is saved for both.
      const isCopy = (name: string): boolean =>
        family === 'llama-tied' && kind === 'embedding-layers' && name.endsWith('lm_head.weight');
      // Weights of the base that are as they were are not saved.
      const names = [...expected.keys()].filter(
        (name) => (!isBase(name) || saved.has(name)) && !isCopy(name),
      );
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
      ]) {
        assert.equal(config[key], original[key], key);
      }
      const modules = config['modules_to_save'] as string[] | null;
      assert.equal(
        kind === 'tied-modules' ? modules?.filter((name) => name !== 'lm_head') : modules,
        original['modules_to_save'],
      );
      for (const key of ['use_rslora', 'use_dora']) {
        assert.is(config[key] ?? false, original[key] ?? false, key);
      }
      // PEFT names the embedding twice where it adapts the head with it; here each stands for itself.
      const targets =
        kind === 'tied-lora'
          ? ['embed_tokens', 'lm_head', 'q_proj']
          : [...(original['target_modules'] as string[])].sort();
      assert.equal(config['target_modules'], targets);
    });
  });
}

test.run();
