// Adapters of IA3 and VeRA that PEFT saved: base and adapter together give
// PEFT's logits, merging PEFT's merged weights, saving PEFT's files.
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Kernel } from 'lmflow';
import { MODEL_WRITER } from '@lmflow/sdk';
import { readSafetensors, writeSafetensors } from '@lmflow/sdk/formats';
import type { Model } from '@lmflow/sdk/model';
import {
  ADAPTER_PLUGINS,
  FIXTURES,
  json,
  largestDifference,
  load,
  logitsOf,
  modelFolder,
  tensors,
  withKernel,
} from './family.ts';

const LIMIT = 1e-5;

/** Settings that are refused, by the case that has them. */
const REFUSED: Readonly<Record<string, string>> = {
  'ia3/llama-modules-to-save': 'modules_to_save = ["norm"]',
  'vera/llama-modules-to-save': 'modules_to_save = ["norm"]',
  'vera/llama-bias': 'bias = "vera_only"',
};

const cases = Object.keys(ADAPTER_PLUGINS).flatMap((method) =>
  readdirSync(join(FIXTURES, 'peft-methods', method)).map((name) => ({ method, name })),
);

function withAdapter<T>(
  method: string,
  adapter: string,
  work: (kernel: Kernel) => Promise<T>,
): Promise<T> {
  const config = { plugins: [ADAPTER_PLUGINS[method]!], [method]: { adapter } };
  return withKernel('finetune', config, work);
}

async function logitsDifference(kernel: Kernel, model: Model, path: string[]): Promise<number> {
  const reference = await tensors(...path, 'reference.safetensors');
  return largestDifference(
    await logitsOf(kernel, model, reference.get('input_ids')!.data, 2),
    reference.get('logits')!.data,
    reference.get('attention_mask')!.data,
    96,
  );
}

for (const { method, name } of cases) {
  const path = ['peft-methods', method, name];
  const folder = join(FIXTURES, ...path);
  const source = modelFolder(name.split('-')[0]!);
  const refused = REFUSED[`${method}/${name}`];
  if (refused !== undefined) {
    test(`${method} ${name}: ${refused} is refused by name`, () =>
      withAdapter(method, folder, async (kernel) => {
        const error = await load(kernel, source, 'inference').catch((reason: unknown) => reason);
        const { code, message } = error as { code: string; message: string };
        assert.is(code, 'LMFLOW_ADAPTER_UNSUPPORTED');
        assert.match(message, refused);
      }));
    continue;
  }

  for (const purpose of ['training', 'inference'] as const) {
    test(`${method} ${name}, loaded for ${purpose}, gives PEFT's logits`, () =>
      withAdapter(method, folder, async (kernel) => {
        const model = await load(kernel, source, purpose);
        const difference = await logitsDifference(kernel, model, path);
        assert.ok(difference < LIMIT, `logits differ by ${difference}`);
      }));
  }

  test(`${method} ${name}, merged, has the weights of PEFT's merge_and_unload`, () =>
    withAdapter(method, folder, async (kernel) => {
      const merged = mkdtempSync(join(tmpdir(), 'lmflow-merged-'));
      const model = await load(kernel, source, 'inference');
      await kernel.resolve(MODEL_WRITER).write(model, merged, { mergeAdapter: true });
      const found = await readSafetensors(join(merged, 'model.safetensors'));
      const reference = await tensors(...path, 'reference.safetensors');
      for (const [weight, { data }] of found) {
        const expected = reference.get(`merged.${weight}`)?.data ?? (await model.read(weight));
        const difference = largestDifference(data, expected, [1], Infinity);
        assert.ok(difference < 1e-6, `${weight} differs by ${difference}`);
      }
      const changed = [...reference.keys()].filter((key) => key.startsWith('merged.'));
      assert.equal(
        changed.filter((key) => !found.has(key.slice('merged.'.length))),
        [],
      );
    }));

  test(`${method} ${name}, saved again, has PEFT's tensors and gives PEFT's logits`, () =>
    withAdapter(method, folder, async (kernel) => {
      const { config, tensors: saved } = (await load(kernel, source, 'training')).adapter!.save();
      const written = await tensors(...path, 'adapter_model.safetensors');
      // the head's own weight, which PEFT writes too
      const expected = new Map([...written].filter(([key]) => !key.includes('.base_layer.')));
      const original = json<Record<string, unknown>>(...path, 'adapter_config.json');
      // VeRA's random matrices are always saved here
      const drawn =
        original['save_projection'] === false ? ['base_model.vera_A', 'base_model.vera_B'] : [];
      assert.equal([...saved.keys()].sort(), [...expected.keys(), ...drawn].sort());
      for (const [key, { shape, data }] of expected) assert.equal(saved.get(key), { shape, data });
      assert.is(config['peft_type'], original['peft_type']);
      assert.is(config['fan_in_fan_out'], original['fan_in_fan_out']);
      const again = mkdtempSync(join(tmpdir(), 'lmflow-again-'));
      writeFileSync(join(again, 'adapter_config.json'), JSON.stringify(config));
      await writeSafetensors(join(again, 'adapter_model.safetensors'), saved);
      await withAdapter(method, again, async (other) => {
        const model = await load(other, source, 'inference');
        const difference = await logitsDifference(other, model, path);
        assert.ok(difference < LIMIT, `logits differ by ${difference}`);
      });
    }));
}

test.run();
