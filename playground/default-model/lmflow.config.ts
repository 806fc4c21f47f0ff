// Pretrains the default model from random weights on what `npm run prepare-text` wrote to ./work.
import { defineConfig } from '@lmflow/sdk';
import finetune from '@lmflow/preset-finetune';

export default defineConfig({
  presets: [finetune],
  model: 'work/model',
  fromScratch: true,
  dataset: ['work/texts.jsonl', 'work/conversations.jsonl'],
  trainOnPrompt: true,
  packing: true,
  blockSize: 1024,
  outputDir: 'work/base',
  perDeviceTrainBatchSize: 4,
  optim: 'muon',
  learningRate: 4e-3,
  lrSchedulerType: 'warmup_stable_decay',
  lrSchedulerKwargs: { num_decay_steps: 800, decay_type: 'linear' },
  warmupSteps: 100,
  maxSteps: 3000,
  loggingSteps: 20,
  saveSteps: 100,
  saveTotalLimit: 4,
});
