// Whole models through a kernel: int8 beside LoRA, packing and checkpointing, the self-check, what
// is refused. How well a real model is finetuned is quality.slow.test.ts's.
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import finetune from '@lmflow/preset-finetune';
import lora from '@lmflow/preset-lora';
import qloraPreset from '@lmflow/preset-qlora';
import int8Compute from '../src/index.ts';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

const root = resolve(import.meta.dirname, '../../..');
const temporary = (name: string): string => mkdtempSync(join(tmpdir(), `lmflow-int8-${name}-`));
const cacheDir = temporary('cache');

/** A fixture model with a tokenizer of made-up words, and text for it. */
function fixture(family: string): { readonly model: string; readonly dataset: string } {
  const model = temporary(family);
  cpSync(join(root, 'test/fixtures/families', family), model, { recursive: true });
  writeWordTokenizer(model);
  writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));
  const dataset = join(temporary('data'), 'text.json');
  const line = (seed: number): string =>
    Array.from(
      { length: 20 },
      (_, place) => `t${2 + ((seed + place * (1 + (seed % 3))) % 90)}`,
    ).join(' ');
  writeFileSync(
    dataset,
    JSON.stringify({
      type: 'text_only',
      instances: Array.from({ length: 48 }, (_, seed) => ({ text: line(seed) })),
    }),
  );
  return { model, dataset };
}

interface Outcome {
  readonly losses: readonly number[];
  readonly cosine: number | undefined;
  readonly warnings: readonly string[];
  readonly outputDir: string;
}

async function run(
  config: Record<string, unknown>,
  int8: boolean | object,
  preset = lora,
): Promise<Outcome> {
  const outputDir = temporary('out');
  const plugins = int8 === false ? [] : [int8Compute({ cacheDir, ...(int8 === true ? {} : int8) })];
  const { kernel, log } = await createTestKernel({
    presets: [preset],
    plugins,
    config: { evalOnStart: true, saveStrategy: 'no', outputDir, ...config },
  });
  try {
    const { result } = await kernel.run('finetune');
    const check = log.said.find(({ data }) => data?.['type'] === 'int8-compute-check');
    return {
      outputDir,
      losses: result.log.flatMap((line) => line['eval_loss'] ?? []),
      cosine: check?.data?.['cosine'] as number | undefined,
      warnings: log.texts('warn').filter((text) => text.startsWith('int8-compute')),
    };
  } finally {
    await kernel.close();
  }
}

const drop = ({ losses }: Outcome): number => losses[0]! - losses.at(-1)!;

for (const family of ['llama', 'gpt2']) {
  test(`${family}: int8 keeps at least 98% of the drop, the gradients agree, and the adapter has the usual files`, async () => {
    const config = {
      ...fixture(family),
      validationSplit: 8,
      maxSteps: 12,
      learningRate: 2e-2,
      perDeviceTrainBatchSize: 8,
    };
    const [float, int8] = [await run(config, false), await run(config, true)];
    assert.ok(
      drop(float) > 0.3 && drop(int8) >= 0.98 * drop(float),
      `float32 ${drop(float)}, int8 ${drop(int8)}`,
    );
    assert.ok(int8.cosine! > 0.995, `cosine ${int8.cosine}`);
    assert.equal(int8.warnings, []);
    // the note of how the base was computed stands beside the usual files
    assert.equal(
      readdirSync(int8.outputDir).sort(),
      [...readdirSync(float.outputDir), 'lmflow_adapter.json'].sort(),
    );
    assert.match(
      readFileSync(join(int8.outputDir, 'README.md'), 'utf8'),
      /\| precision \| float32; \d+ of \d+ linears in int8 \|/,
    );
    assert.match(
      readFileSync(join(float.outputDir, 'README.md'), 'utf8'),
      /\| precision \| float32 \|/,
    );
  });
}

test('with packing and checkpointing it is the same training', async () => {
  const config = {
    ...fixture('llama'),
    validationSplit: 8,
    maxSteps: 4,
    learningRate: 1e-3,
    perDeviceTrainBatchSize: 2,
    packing: true,
    blockSize: 64,
  };
  const [plain, again] = [
    await run(config, true),
    await run({ ...config, gradientCheckpointing: true }, true),
  ];
  // Another order of additions changes the last bit of a gradient; where that moves an int8 code by
  // a step, AdamW may turn a number around.
  plain.losses.forEach((loss, index) =>
    assert.ok(
      Math.abs(loss - again.losses[index]!) < (index === 0 ? 1e-6 : 5e-4),
      `${loss} ${again.losses[index]}`,
    ),
  );
  assert.ok(again.cosine! > 0.995);
});

test('the self-check warns below minCosine, and can be switched off; excluded layers are float32', async () => {
  const config = { ...fixture('llama'), validationSplit: 8, maxSteps: 1, learningRate: 1e-3 };
  const [strict, off, allButOne] = [
    await run(config, { minCosine: 1 }),
    await run(config, { selfCheck: false }),
    await run(config, { exclude: ['.*_proj(?<!\\.1\\.mlp\\.down_proj)'] }),
  ];
  assert.is(strict.warnings.length, 1);
  assert.is(off.cosine, undefined);
  assert.equal(off.losses, strict.losses, 'the check changes nothing');
  assert.ok(allButOne.cosine! > strict.cosine!, `${allButOne.cosine} ${strict.cosine}`);
});

test('a pattern that names nothing, full finetuning, and qlora on the same layers are errors', async () => {
  const config = { ...fixture('llama'), maxSteps: 1 };
  const code = async (options: object, preset = lora): Promise<string> => {
    try {
      await run(config, options, preset);
    } catch (error) {
      return (error as { code: string }).code;
    }
    return 'none';
  };
  assert.is(await code({ exclude: ['lm_head'] }), 'LMFLOW_LINEARS_UNKNOWN');
  assert.is(await code({ exclude: ['.*'] }), 'LMFLOW_LINEARS_NOTHING');
  assert.is(await code({}, finetune), 'LMFLOW_LINEARS_TRAINED');
  process.env['LMFLOW_CACHE'] = cacheDir;
  assert.is(await code({}, qloraPreset), 'LMFLOW_LINEARS_CLAIMED');
});

test.run();
