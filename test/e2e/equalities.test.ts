// What must not change the result: how a batch is cut into micro-batches, and whether samples are
// packed. Through the engine, end to end.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKernel } from 'lmflow';
import finetune from '@lmflow/preset-finetune';
import lora from '@lmflow/preset-lora';
import { definePlugin } from '@lmflow/sdk';
import { readSafetensors, type TensorFile } from '@lmflow/sdk/formats';
import { project } from './project.ts';

async function run(
  folder: string,
  config: Record<string, unknown>,
): Promise<{
  readonly log: readonly Readonly<Record<string, number>>[];
  readonly weights: TensorFile;
}> {
  const outputDir = mkdtempSync(join(tmpdir(), 'lmflow-equal-'));
  const kernel = await createKernel({
    presets: ['lora' in config ? lora : finetune],
    model: join(folder, 'model'),
    fromScratch: true,
    dataset: join(folder, 'data.json'),
    datasetCacheDir: join(folder, '.cache'),
    outputDir,
    loggingSteps: 1,
    saveStrategy: 'no',
    learningRate: 1e-3,
    lrSchedulerType: 'constant',
    warmupSteps: 0,
    trainSamplingStrategy: 'sequential',
    ...config,
  });
  try {
    const { result } = await kernel.run('finetune');
    return {
      log: result.log,
      weights: await readSafetensors(
        join(outputDir, 'lora' in config ? 'adapter_model.safetensors' : 'model.safetensors'),
      ),
    };
  } finally {
    await kernel.close();
  }
}

const losses = (log: readonly Readonly<Record<string, number>>[]): number[] =>
  log.flatMap(({ loss }) => loss ?? []);

function close(a: readonly number[], b: readonly number[], tolerance: number): void {
  assert.is(a.length, b.length);
  a.forEach((number, index) => {
    assert.ok(
      Math.abs(number - b[index]!) <= tolerance,
      `step ${index + 1}: ${number} and ${b[index]}`,
    );
  });
}

for (const method of [{ lora: { r: 4 } }, {}]) {
  test(`${'lora' in method ? 'lora' : 'full'}: 16 micro-batches of 1 are 1 batch of 16`, async () => {
    const folder = project(48);
    const accumulated = await run(folder, {
      ...method,
      perDeviceTrainBatchSize: 1,
      gradientAccumulationSteps: 16,
      numTrainEpochs: 1,
    });
    const whole = await run(folder, {
      ...method,
      perDeviceTrainBatchSize: 16,
      gradientAccumulationSteps: 1,
      numTrainEpochs: 1,
    });
    assert.is(losses(whole.log).length, 3);
    close(losses(accumulated.log), losses(whole.log), 1e-5);
    for (const [name, { data }] of whole.weights) {
      close([...accumulated.weights.get(name)!.data], [...data], 1e-5);
    }
  });

  test(`${'lora' in method ? 'lora' : 'full'}: packed samples train as they do alone`, async () => {
    const folder = project(24);
    const packed = await run(folder, {
      ...method,
      packing: true,
      blockSize: 64,
      perDeviceTrainBatchSize: 64,
      maxSteps: 4,
    });
    const alone = await run(folder, {
      ...method,
      packing: false,
      blockSize: 64,
      perDeviceTrainBatchSize: 64,
      maxSteps: 4,
    });
    close(losses(packed.log), losses(alone.log), 1e-5);
    for (const [name, { data }] of alone.weights) {
      close([...packed.weights.get(name)!.data], [...data], 1e-5);
    }
  });

  test(`${'lora' in method ? 'lora' : 'full'}: samples in rows without padding train as padded ones do`, async () => {
    const folder = project(24);
    const runs = await Promise.all(
      [true, false].map(async (paddingFree) => {
        const sizes: number[] = [];
        const counter = definePlugin({
          name: 'counter',
          version: '1.0.0',
          sdk: '^1.0.0',
          apply: ({ hooks }) => {
            hooks.onBatch.tap((batch) => {
              sizes.push(batch.size);
              return batch;
            });
          },
        });
        return {
          sizes,
          ...(await run(folder, {
            ...method,
            plugins: [counter],
            paddingFree,
            padToMultipleOf: 8,
            perDeviceTrainBatchSize: 8,
            maxSteps: 3,
          })),
        };
      }),
    );
    const [joined, padded] = runs as [(typeof runs)[0], (typeof runs)[0]];
    assert.equal(
      [joined, padded].map(({ sizes }) => sizes.slice(-3)),
      [
        [1, 1, 1],
        [8, 8, 8],
      ],
    ); // the plan's batch comes before them
    close(losses(joined.log), losses(padded.log), 1e-5);
    for (const [name, { data }] of padded.weights) {
      close([...joined.weights.get(name)!.data], [...data], 1e-5);
    }
  });
}

test.run();
