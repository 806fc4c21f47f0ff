// What 4 bits and int8 cost in quality: a model finetuned with LoRA on a float32 base, on a base in
// 4 bits (QLoRA) and with int8-compute, from the same seeds; the drop in evaluation loss of each
// against float32's. Usage:
// node --conditions=lmflow-source --import tsx test/bench/quality.ts [MODEL [DATASET]] [--steps
// 110] [--seeds 1,2,3]
import { existsSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createKernel } from 'lmflow';
import { MODELS, SAMPLES, LANGUAGE_MODELING, TRAINER } from '@lmflow/sdk';
import int8Compute from '@lmflow/plugin-int8-compute';
import lora from '@lmflow/preset-lora';
import qlora from '@lmflow/preset-qlora';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: 'string', default: '110' },
    seeds: { type: 'string', default: '1,2,3' },
  },
});
const [source, dataset] = [
  positionals[0] ?? '../shared/models/stories260k',
  positionals[1] ?? '../shared/data/alpaca_en_demo.json',
].map((path) => resolve(path)) as [string, string];
const METHODS = {
  float32: { presets: [lora] },
  QLoRA: { presets: [qlora] },
  'int8-compute': { presets: [lora], plugins: [int8Compute()] },
} as const;
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

interface Run {
  readonly before: number;
  readonly after: number;
  /** The trained adapter on the float32 base. */
  readonly onFloat: number;
}

for (const path of [source, dataset]) {
  if (!existsSync(path)) {
    say(`skipped: no ${path}`);
    process.exit(0);
  }
}

say(
  `| seed | | before | after | drop | of float32's drop | counted from float32's loss before | adapter on the float32 base |\n|---|---|---|---|---|---|---|---|`,
);
for (const seed of values.seeds.split(',').map(Number)) {
  let plain: Run | undefined;
  for (const method of Object.keys(METHODS) as (keyof typeof METHODS)[]) {
    const run = await finetune(method, seed);
    plain ??= run;
    const share = (from: number): string =>
      `${((100 * (from - run.after)) / (plain!.before - plain!.after)).toFixed(1)}%`;
    say(
      `| ${seed} | ${method} | ${run.before.toFixed(4)} | ${run.after.toFixed(4)} | ${(run.before - run.after).toFixed(4)} | ${share(run.before)} | ${share(plain.before)} | ${run.onFloat.toFixed(4)} |`,
    );
  }
}

async function finetune(method: keyof typeof METHODS, seed: number): Promise<Run> {
  const outputDir = mkdtempSync(join(tmpdir(), 'lmflow-quality-'));
  const kernel = await createKernel({
    ...METHODS[method],
    ...settings(seed),
    outputDir,
    evalOnStart: true,
    maxSteps: Number(values.steps),
    learningRate: 2e-3,
    warmupSteps: 10,
    perDeviceTrainBatchSize: 8,
    saveStrategy: 'steps',
    saveOnlyModel: true,
  });
  try {
    const { result } = await kernel.run('finetune');
    const before = result.log.flatMap((entry) => entry['eval_loss'] ?? [])[0]!;
    return { before, after: result.evaluation!['loss']!, onFloat: await evaluate(outputDir, seed) };
  } finally {
    await kernel.close();
    await rm(outputDir, { recursive: true });
  }
}

/** Evaluation loss of an adapter on the float32 base, on the same samples. */
async function evaluate(adapter: string, seed: number): Promise<number> {
  const kernel = await createKernel({
    presets: [lora],
    ...settings(seed),
    lora: { adapter },
    outputDir: join(adapter, 'evaluation'),
  });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'training', source });
    const { evaluation } = await kernel
      .resolve(SAMPLES)
      .load({ tokenizer: model.tokenizer, maxPositions: model.architecture.maxPositions });
    return (
      await kernel
        .resolve(TRAINER)
        .evaluate({ model, samples: evaluation!, objective: kernel.resolve(LANGUAGE_MODELING) })
    )['loss']!;
  } finally {
    await kernel.close();
  }
}

function settings(seed: number): Record<string, unknown> {
  return { model: source, dataset, validationSplit: 0.1, seed };
}
