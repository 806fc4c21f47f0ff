// The three ways to say the same finetune of a real checkpoint: flags, a config of ten lines, a
// program of fifteen. Same evaluation loss.
import { existsSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKernel } from 'lmflow';
import lora from '@lmflow/preset-lora';
import { lmflow } from './project.ts';

const shared = resolve(import.meta.dirname, '../../../shared');
const model = join(shared, 'models', 'stories260k');
const dataset = join(shared, 'data', 'alpaca_en_demo.json');

if (existsSync(shared)) {
  test('flags, lmflow.config.ts and createKernel() give the same evaluation loss, and it falls', async () => {
    const evaluation = (folder: string): number[] =>
      (
        JSON.parse(readFileSync(join(folder, 'trainer_state.json'), 'utf8')) as {
          log_history: { eval_loss?: number }[];
        }
      ).log_history.flatMap(({ eval_loss }) => eval_loss ?? []);
    const folder = mkdtempSync(join(tmpdir(), 'lmflow-ways-'));
    symlinkSync(resolve(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    await lmflow(folder, [
      'finetune',
      '--preset',
      'lora',
      '--model',
      model,
      '--dataset',
      dataset,
      '--max-train-samples',
      '120',
      '--validation-split',
      '20',
      '--max-steps',
      '12',
      '--learning-rate',
      '5e-3',
      '--eval-on-start',
      '--output-dir',
      'flags',
    ]);

    writeFileSync(
      join(folder, 'lmflow.config.ts'),
      `import { defineConfig } from '@lmflow/sdk';
export default defineConfig({
  presets: ['lora'],
  model: '${model}',
  dataset: '${dataset}', maxTrainSamples: 120, validationSplit: 20,
  maxSteps: 12, learningRate: 5e-3, evalOnStart: true,
  outputDir: 'config',
});
`,
    );
    await lmflow(folder, ['finetune']);

    const kernel = await createKernel({
      presets: [lora],
      model,
      dataset,
      maxTrainSamples: 120,
      validationSplit: 20,
      maxSteps: 12,
      learningRate: 5e-3,
      evalOnStart: true,
      outputDir: join(folder, 'program'),
    });
    const { result } = await kernel.run('finetune');
    await kernel.close();

    const [before, after] = evaluation(join(folder, 'flags')) as [number, number];
    assert.ok(after < before - 0.1, `evaluation loss ${before} -> ${after}`);
    assert.equal(evaluation(join(folder, 'config')), [before, after]);
    assert.equal(evaluation(join(folder, 'program')), [before, after]);
    assert.ok(
      Math.abs(
        Object.entries(result.evaluation!).find(([name]) => /loss$/.test(name))![1] - after,
      ) < 1e-6,
    );
  });
} else {
  test.skip('flags, lmflow.config.ts and createKernel()', () => undefined);
  console.log('skipped: no ../shared');
}

test.run();
