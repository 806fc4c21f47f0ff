// Second: scenes with nearly all their questions, and facts again; the loss is on answers alone.
import { defineConfig } from '@lmflow/sdk';
import finetune from '@lmflow/preset-finetune';

export default defineConfig({
  presets: [finetune],
  model: 'work/first',
  dataset: ['work/lessons-texts.jsonl', 'work/lessons-conversations.jsonl'],
  packing: true,
  blockSize: 1024,
  outputDir: 'work/base',
  perDeviceTrainBatchSize: 4,
  optim: 'muon',
  learningRate: 4e-3,
  lrSchedulerType: 'warmup_stable_decay',
  lrSchedulerKwargs: { num_decay_steps: 550, decay_type: 'linear' },
  warmupSteps: 30,
  maxSteps: 1000,
  loggingSteps: 20,
  saveSteps: 100,
  saveTotalLimit: 4,
});
