// How memory is saved must not change what is computed: the loss and every gradient of the first training program, of {lora, full} x {packed
// samples, blocks of text}, with the plain or the flash attention, with and without gradient checkpointing. Through the engine.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKernel } from 'lmflow';
import { ENGINE, type Engine, type TensorMap } from '@lmflow/sdk';
import flashAttention from '@lmflow/plugin-flash-attention';
import finetune from '@lmflow/preset-finetune';
import lora from '@lmflow/preset-lora';
import { project } from './project.ts';

type Numbers = Readonly<Record<string, readonly number[]>>;

/** One training step; gives the loss and the gradients as the engine computed them. */
async function firstStep(folder: string, config: Record<string, unknown>): Promise<Numbers> {
  const kernel = await createKernel({
    presets: ['lora' in config ? lora : finetune], plugins: ['flashAttention' in config && flashAttention], model: join(folder, 'model'), fromScratch: true,
    datasetCacheDir: join(folder, '.cache'), outputDir: mkdtempSync(join(tmpdir(), 'lmflow-combination-')), blockSize: 64, perDeviceTrainBatchSize: 2, maxSteps: 1, saveStrategy: 'no', ...config,
  });
  try {
    const results = record(kernel.resolve(ENGINE));
    await kernel.run('finetune');
    return results[0]!;
  } finally {
    await kernel.close();
  }
}

/** Keeps what training programs give. */
function record(engine: Engine): Numbers[] {
  const results: Numbers[] = [];
  const compile = engine.compile.bind(engine);
  engine.compile = async (graph, options) => {
    const program = await compile(graph, options);
    const run = async (inputs: TensorMap, outputs?: TensorMap): Promise<TensorMap> => {
      const given = await program.run(inputs, outputs);
      const entries = await Promise.all(Object.entries(given).map(async ([name, tensor]) => [name, Array.from(await tensor.read(), Number)] as const));
      if (graph.outputs.has('loss')) results.push(Object.fromEntries(entries));
      return given;
    };
    return { run, dispose: () => program.dispose() };
  };
  return results;
}

/** The largest difference of any number, against the largest number of its tensor where that is more than 1. */
function difference(found: Numbers, expected: Numbers): number {
  assert.equal(Object.keys(found).sort(), Object.keys(expected).sort());
  return Math.max(...Object.entries(expected).map(([name, numbers]) => {
    const scale = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 1);
    return numbers.reduce((most, number, index) => Math.max(most, Math.abs(number - found[name]![index]!)), 0) / scale;
  }));
}

const SAVINGS: readonly Record<string, unknown>[] = [{ gradientCheckpointing: true }, { flashAttention: { tile: 24 } }, { flashAttention: { tile: 24 }, gradientCheckpointing: true }];

for (const method of [{ lora: { r: 4, initLoraWeights: false } }, {}]) {
  for (const kind of ['packing', 'blocks']) {
    test(`${'lora' in method ? 'lora' : 'full'}, ${kind}: flash or plain attention, checkpointed or not, give the same loss and gradients`, async () => {
      const folder = project(24);
      const texts = join(folder, 'texts.jsonl');
      writeFileSync(texts, Array.from({ length: 24 }, (_, index) => JSON.stringify({ text: `what is a ${['cat', 'dog', 'bird'][index % 3]!} that sings and sleeps the big red house` })).join('\n'));
      const data = kind === 'packing' ? { dataset: join(folder, 'data.json'), packing: true } : { dataset: texts, groupTexts: true };
      const expected = await firstStep(folder, { ...method, ...data });
      assert.ok(Object.keys(expected).length > 10 && expected['loss']![0]! > 0);
      for (const saving of SAVINGS) {
        const found = difference(await firstStep(folder, { ...method, ...data, ...saving }), expected);
        assert.ok(found <= 1e-5, `${JSON.stringify(saving)}: ${found}`);
      }
    });
  }
}

test.run();
