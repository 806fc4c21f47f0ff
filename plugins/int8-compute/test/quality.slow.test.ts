// How LoRA with linears computed in int8 compares with LoRA in float32, on a real model and real
// data.
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import lora from '@lmflow/preset-lora';
import int8Compute from '../src/index.ts';

const root = resolve(import.meta.dirname, '../../..');
const temporary = (name: string): string => mkdtempSync(join(tmpdir(), `lmflow-int8-${name}-`));
const model = resolve(root, '../shared/models/stories260k');

interface Outcome {
  /** First evaluation loss minus last. */
  readonly drop: number;
  readonly cosine: number | undefined;
}

async function run(plugins: ReturnType<typeof int8Compute>[]): Promise<Outcome> {
  const { kernel, log } = await createTestKernel({
    presets: [lora],
    plugins,
    config: {
      model,
      dataset: resolve(root, '../shared/data/alpaca_en_demo.json'),
      maxTrainSamples: 120,
      validationSplit: 16,
      maxSteps: 12,
      learningRate: 5e-3,
      evalOnStart: true,
      saveStrategy: 'no',
      outputDir: temporary('out'),
    },
  });
  try {
    const { result } = await kernel.run('finetune');
    const losses = result.log.flatMap((line) => line['eval_loss'] ?? []);
    const check = log.said.find(({ data }) => data?.['type'] === 'int8-compute-check');
    return {
      drop: losses[0]! - losses.at(-1)!,
      cosine: check?.data?.['cosine'] as number | undefined,
    };
  } finally {
    await kernel.close();
  }
}

if (existsSync(model)) {
  test('stories260k: int8 keeps at least 98% of the drop in evaluation loss', async () => {
    const float = await run([]);
    const int8 = await run([int8Compute({ cacheDir: temporary('cache') })]);
    assert.ok(
      float.drop > 0.3 && int8.drop >= 0.98 * float.drop,
      `float32 ${float.drop}, int8 ${int8.drop}`,
    );
    assert.ok(int8.cosine! > 0.995, `cosine ${int8.cosine}`);
  });
} else {
  test.skip('stories260k', () => undefined);
  console.log('skipped: no ../shared');
}

test.run();
