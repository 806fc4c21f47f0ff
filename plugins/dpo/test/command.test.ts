// The command on a tiny model: the same training in any micro-batches, killed and resumed, with the
// reference computed before or in each step; its figures, and what it refuses.
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { definePlugin, type FitResult } from '@lmflow/sdk';
import { readSafetensors } from '@lmflow/sdk/formats';
import { writeWordTokenizer } from '@lmflow/sdk/testing';
import preset from '@lmflow/preset-dpo';

const root = mkdtempSync(join(tmpdir(), 'lmflow-dpo-'));
const model = join(root, 'model');
cpSync(new URL('../../../test/fixtures/families/llama', import.meta.url), model, {
  recursive: true,
});
writeWordTokenizer(model);
writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));

const words = (count: number, from: number): string =>
  Array.from({ length: count }, (_, place) => `t${3 + ((from + 7 * place) % 90)}`).join(' ');
const pairs = Array.from({ length: 8 }, (_, index) => ({
  prompt: words(2 + (index % 3), index),
  chosen: ` ${words(2 + (index % 5), 20 + index)}`,
  rejected: ` ${words(3 + ((index * 3) % 4), 50 + index)}`,
}));
const dataset = join(root, 'pairs.json');
writeFileSync(dataset, JSON.stringify(pairs));

interface Run {
  readonly result: FitResult;
  readonly warnings: readonly string[];
  readonly outputDir: string;
}

let count = 0;
async function run(
  config: Readonly<Record<string, unknown>> = {},
  plugins: readonly ReturnType<ReturnType<typeof definePlugin>>[] = [],
): Promise<Run> {
  const outputDir = join(root, `out${count++}`);
  const { kernel, log } = await createTestKernel({
    presets: [preset],
    plugins,
    config: {
      model,
      dataset,
      outputDir,
      datasetCacheDir: join(root, 'cache'),
      perDeviceTrainBatchSize: 8,
      maxSteps: 4,
      learningRate: 5e-3,
      loggingSteps: 1,
      lora: { r: 2 },
      ...config,
    },
  });
  try {
    const { result } = (await kernel.run('dpo')) as { result: FitResult };
    const warnings = log.texts('warn');
    return {
      result,
      warnings,
      outputDir: (config['outputDir'] as string | undefined) ?? outputDir,
    };
  } finally {
    await kernel.close();
  }
}

const figures = ({ result }: Run, name: string): number[] =>
  result.log.flatMap((entry) => (entry['grad_norm'] === undefined ? [] : [entry[name]!]));

function near(found: readonly number[], expected: readonly number[], bound: number): void {
  assert.is(found.length, expected.length);
  found.forEach((value, index) => {
    const off = Math.abs(value - expected[index]!);
    assert.ok(off <= bound, `${index}: ${value} and ${expected[index]} differ by ${off}`);
  });
}

const whole = await run();

test('it begins with log 2 and no margin, and learns', () => {
  const losses = figures(whole, 'loss');
  near([losses[0]!], [Math.LN2], 1e-6);
  near([figures(whole, 'rewards/margins')[0]!], [0], 1e-6);
  assert.ok(losses[3]! < losses[0]! - 0.01, losses.join());
  near(
    figures(whole, 'logps/chosen').slice(0, 1),
    figures(whole, 'logps/ref_chosen').slice(0, 1),
    1e-4,
  );
  assert.equal(
    whole.warnings.filter((text) => text.includes('first step')),
    [],
  );
});

test('8 pairs one by one are 8 at once; padded, joined', async () => {
  for (const config of [
    { perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 8 },
    { perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 4, paddingFree: false },
  ]) {
    near(figures(await run(config), 'loss'), figures(whole, 'loss'), 2e-5);
  }
});

test('the token mean of sft too', async () => {
  const dpo = { rpoAlpha: 0.5 };
  const once = await run({ dpo });
  const parts = await run({ dpo, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 4 });
  near(figures(parts, 'loss'), figures(once, 'loss'), 1e-4);
});

test('the reference computed before is the one computed in each step', async () => {
  const before = await run({ dpo: { precomputeRefLogProbs: true } });
  for (const name of ['loss', 'rewards/chosen', 'logps/ref_rejected']) {
    near(figures(before, name), figures(whole, name), 1e-4);
  }
});

test('killed and resumed is not killed, with a cached reference too', async () => {
  for (const dpo of [{}, { precomputeRefLogProbs: true }]) {
    const kept = await run({ dpo, saveSteps: 2 });
    const outputDir = join(root, `resumed${count}`);
    const stop = definePlugin({
      name: 'test-stop',
      version: '1.0.0',
      sdk: '^1.0.0',
      apply: ({ hooks }) => {
        hooks.onStep.tap((step) => {
          if (step.number === 3) throw new Error('killed');
        });
      },
    });
    await run({ dpo, saveSteps: 2, outputDir }, [stop()]).catch(() => undefined);
    assert.ok(existsSync(join(outputDir, 'checkpoint-2')));
    await run({ dpo, saveSteps: 2, outputDir, resumeFromCheckpoint: true });
    const [one, other] = await Promise.all(
      [kept.outputDir, outputDir].map((folder) =>
        readSafetensors(join(folder, 'adapter_model.safetensors')),
      ),
    );
    for (const [name, { data }] of one!) assert.equal(other!.get(name)!.data, data, name);
  }
});

test('an adapter that changes the model from the start is told of', async () => {
  const { warnings } = await run({ maxSteps: 1, lora: { r: 2, initLoraWeights: false } });
  assert.ok(
    warnings.some((text) => /the loss of the first step is .* instead of 0\.69315/.test(text)),
    warnings.join('\n'),
  );
});

test('evaluation has the figures too', async () => {
  const { result } = await run({ maxSteps: 1, evalDataset: dataset, dpo: { rpoAlpha: 1 } });
  for (const name of ['loss', 'rewards/margins', 'logps/ref_chosen']) {
    assert.ok(Number.isFinite(result.evaluation![name]), name);
  }
  assert.not('perplexity' in result.evaluation!);
});

const refused: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
  [{ model: undefined }, /SETTING_MISSING/],
  [{ dataset: undefined }, /SETTING_MISSING/],
  [{ dpo: { lossType: 'rev_kl' } }, /DPO_MARGIN/],
  [{ dpo: { lengthPenalty: 0.1 } }, /DPO_NO_EFFECT/],
  [{ dpo: { maxPromptLength: 5 } }, /OPTION_UNSUPPORTED/],
];

for (const [config, code] of refused) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    const error = await run(config).then(
      () => ({ code: 'no error' }),
      (caught: unknown) => caught as { code: string },
    );
    assert.match(error.code, code);
  });
}

test.after(() => {
  rmSync(root, { recursive: true, force: true });
});
test.run();
