// How finetuning with QLoRA compares with LoRA's, on a real model and real data.
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import lora from '@lmflow/preset-lora';
import qloraPreset from '@lmflow/preset-qlora';

const root = resolve(import.meta.dirname, '../../..');
const temporary = (name: string): string => mkdtempSync(join(tmpdir(), `lmflow-qlora-${name}-`));
const cacheDir = temporary('cache');

const model = resolve(root, '../shared/models/stories260k');
if (existsSync(model)) {
  test("stories260k: QLoRA keeps at least 95% of LoRA's drop in evaluation loss", async () => {
    const drops = [];
    for (const preset of [lora, qloraPreset]) {
      const { kernel } = await createTestKernel({
        presets: [preset],
        config: {
          model,
          dataset: resolve(root, '../shared/data/alpaca_en_demo.json'),
          maxTrainSamples: 160,
          validationSplit: 24,
          maxSteps: 20,
          learningRate: 5e-3,
          evalOnStart: true,
          saveStrategy: 'no',
          outputDir: temporary('out'),
          ...(preset === qloraPreset ? { qlora: { cacheDir } } : {}),
        },
      });
      const { result } = await kernel.run('finetune');
      await kernel.close();
      const losses = result.log.flatMap((line) => line['evalLoss'] ?? line['eval_loss'] ?? []);
      drops.push(losses[0]! - losses.at(-1)!);
    }
    const [float, four] = drops as [number, number];
    assert.ok(float > 0.3 && four >= 0.95 * float, `LoRA ${float}, QLoRA ${four}`);
  });
} else {
  test.skip('stories260k', () => undefined);
  console.log('skipped: no ../shared');
}

test.run();
