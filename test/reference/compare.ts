// `lmflow finetune` against PyTorch + PEFT on the same split, order, initial adapter and settings:
// prints both evaluation losses, and whether PEFT (or transformers) loads our files and gives our
// logits.
// Usage: node --conditions=lmflow-source --import tsx test/reference/compare.ts PYTHON MODEL
// DATASET lora|full [STEPS]
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKernel } from 'lmflow';
import { LANGUAGE_MODELING, MODELS, SAMPLES, TRAINER, type Samples } from '@lmflow/sdk';
import { writeSafetensors } from '@lmflow/sdk/formats';
import finetune from '@lmflow/preset-finetune';
import lora from '@lmflow/preset-lora';
import { logitsOf } from '../parity/family.ts';
import { dataOrder } from '../../plugins/trainer/src/data/sampler.ts';
import { trainerOptions } from '../../plugins/trainer/src/options.ts';

const [python = 'python3', source = '', dataset = '', method = 'lora', steps = '125'] =
  process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'lmflow-compare-'));
const training = {
  learningRate: method === 'lora' ? 2e-3 : 1e-3,
  lrSchedulerType: 'cosine',
  warmupSteps: 10,
  maxSteps: Number(steps),
  perDeviceTrainBatchSize: 8,
  weightDecay: 0.01,
};
const kernel = await createKernel({
  presets: [method === 'lora' ? lora : finetune],
  model: source,
  dataset,
  validationSplit: 0.1,
  outputDir: join(folder, 'ours'),
  saveStrategy: 'no',
  evalOnStart: true,
  ...training,
});
const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'training', source });
const initial = join(folder, 'initial');
if (model.adapter) {
  mkdirSync(initial);
  const { config, tensors } = model.adapter.save();
  writeFileSync(join(initial, 'adapter_config.json'), JSON.stringify(config));
  await writeSafetensors(join(initial, 'adapter_model.safetensors'), tensors);
}
const { train, evaluation } = await kernel
  .resolve(SAMPLES)
  .load({ tokenizer: model.tokenizer, maxPositions: model.architecture.maxPositions });
const order = dataOrder(train, trainerOptions.parse(training), 42);
const all = (samples: Samples): unknown =>
  Array.from({ length: samples.length }, (_, index) => samples.get(index)).map(
    ({ inputIds, labels }) => ({ input_ids: [...inputIds], labels: [...labels] }),
  );
writeFileSync(
  join(folder, 'run.json'),
  JSON.stringify({
    train: all(train),
    evaluation: all(evaluation!),
    order: Array.from({ length: Number(steps) }, (_, step) => order.microBatches(step + 1).flat()),
    settings: {
      learning_rate: training.learningRate,
      weight_decay: 0.01,
      schedule: 'cosine',
      warmup_steps: 10,
      ...(model.adapter
        ? {
            init_adapter: initial,
            lora: {
              r: 8,
              alpha: 16,
              dropout: 0,
              target_modules: model.adapter.save().config['target_modules'],
            },
          }
        : {}),
    },
  }),
);
const { evaluation: ours, log } = await kernel
  .resolve(TRAINER)
  .fit({ model, train, evaluation, objective: kernel.resolve(LANGUAGE_MODELING) });
const sample = evaluation!.get(0).inputIds.slice(0, 64);
const logits = await logitsOf(kernel, model, sample, 1);
const result = join(folder, 'result.json');
writeFileSync(
  result,
  JSON.stringify({
    input_ids: [[...sample]],
    logits: [
      Array.from(sample, (_, row) => [
        ...logits.subarray(
          row * model.architecture.vocabularySize,
          (row + 1) * model.architecture.vocabularySize,
        ),
      ]),
    ],
  }),
);
await kernel.close();
const lines = execFileSync(
  python,
  [
    join(import.meta.dirname, 'peft_finetune.py'),
    source,
    join(folder, 'run.json'),
    '--threads',
    '2',
  ],
  { encoding: 'utf8', maxBuffer: 1e9 },
)
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line) as Record<string, number>);
const theirs = lines.flatMap(({ evaluation_loss: loss }) => loss ?? []);
const found = Object.entries(ours!).find(([name]) => /loss$/.test(name))![1];
console.log(
  `${train.length} samples, ${evaluation!.length} to evaluate on, ${steps} steps (${method})`,
);
console.log(
  `before tuning   ours ${log.flatMap((entry) => entry['eval_loss'] ?? [])[0]!.toFixed(5)}   PEFT ${theirs[0]!.toFixed(5)}`,
);
console.log(
  `after tuning    ours ${found.toFixed(5)}   PEFT ${theirs.at(-1)!.toFixed(5)}   difference ${(100 * (found / theirs.at(-1)! - 1)).toFixed(3)}%`,
);
console.log(
  `our files in ${model.adapter ? 'PEFT' : 'transformers'}: ${execFileSync(python, [join(import.meta.dirname, 'check_adapter.py'), model.adapter ? source : '-', join(folder, 'ours'), result], { encoding: 'utf8' }).trim()}`,
);
