// Every family and every kind of rotary embedding against PyTorch and transformers: logits within
// 1e-4, gradients within 1e-3 of their norm.
import { rename, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSafetensors } from '@lmflow/sdk/formats';
import { fixtures, loadFolder, modelFolder, removeFolders } from './folders.ts';
import { logits, lossAndGradients, trainEverything } from './traces.ts';

const test = suite('parity with transformers');
test.after(removeFolders);

const withGradients = [
  'llama',
  'llama-tied',
  'llama-linear',
  'llama-dynamic',
  'llama-yarn',
  'llama-llama3',
  'mistral',
  'qwen2',
  'qwen3',
  'gpt2',
];
const onlyLogits = ['llama-sharded', 'llama-bf16', 'llama-f16'];

/** The largest difference of logits at positions that are not padding. */
function largestDifference(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  mask: ArrayLike<number>,
): number {
  const vocabulary = expected.length / mask.length;
  let largest = 0;
  for (let index = 0; index < expected.length; index++) {
    if (mask[Math.floor(index / vocabulary)] !== 0) {
      largest = Math.max(largest, Math.abs(found[index]! - expected[index]!));
    }
  }
  return largest;
}

for (const family of [...withGradients, ...onlyLogits]) {
  for (const style of onlyLogits.includes(family)
    ? ['config.json']
    : ['config.json', 'config.legacy.json']) {
    test(`${family}, ${style}: logits`, async () => {
      const folder = await modelFolder(family, async (target) => {
        if (style !== 'config.json') await rename(join(target, style), join(target, 'config.json'));
      });
      const model = await loadFolder(folder);
      const reference = await readSafetensors(join(fixtures, family, 'reference.safetensors'));
      for (const part of reference.has('short.logits') ? ['', 'short.'] : ['']) {
        const {
          shape: [batchSize, length],
          data: ids,
        } = reference.get(`${part}input_ids`)! as {
          shape: readonly [number, number];
          data: Float32Array;
        };
        const mask = reference.get(`${part}attention_mask`)?.data ?? ids.map(() => 1);
        const found = await logits(model, { ids: [...ids], batchSize, length });
        const difference = largestDifference(found, reference.get(`${part}logits`)!.data, mask);
        assert.ok(difference < 1e-4, `${part}logits differ by ${difference}`);
      }
    });
  }
}

for (const family of withGradients) {
  test(`${family}: loss and every gradient`, async () => {
    const model = await loadFolder(await modelFolder(family));
    await trainEverything(model);
    const reference = await readSafetensors(join(fixtures, family, 'reference.safetensors'));
    const { loss: expectedLoss } = JSON.parse(
      await readFile(join(fixtures, family, 'reference.json'), 'utf8'),
    ) as { loss: number };
    const {
      shape: [batchSize, length],
      data: ids,
    } = reference.get('input_ids')! as { shape: readonly [number, number]; data: Float32Array };
    const { loss, gradients } = await lossAndGradients(
      model,
      { ids: [...ids], batchSize, length },
      [...reference.get('labels')!.data],
    );
    assert.ok(Math.abs(loss - expectedLoss) < 1e-5, `loss ${loss}, expected ${expectedLoss}`);
    const names = [...reference.keys()]
      .filter((name) => name.startsWith('grad.'))
      .map((name) => name.slice('grad.'.length));
    assert.equal(names.sort(), [...model.weights.keys()].sort());
    for (const name of names) {
      const expected = reference.get(`grad.${name}`)!.data;
      const found = gradients.get(name)!;
      const norm = Math.hypot(...expected);
      const difference = Math.hypot(...expected.map((number, index) => number - found[index]!));
      assert.ok(
        difference <= Math.max(1e-3 * norm, 1e-6),
        `${name}: the gradients differ by ${difference}, their norm is ${norm}`,
      );
    }
  });
}

test.run();
