// Last: the same, and words to say again; the learning rate falls to nothing.
import { defineConfig } from '@lmflow/sdk';
import finetune from '@lmflow/preset-finetune';

export default defineConfig({
  presets: [finetune],
  model: 'work/practice',
  dataset: ['work/repetition-texts.jsonl', 'work/repetition-conversations.jsonl'],
  packing: true,
  blockSize: 512,
  outputDir: 'work/base',
  perDeviceTrainBatchSize: 8,
  optim: 'muon',
  learningRate: 4e-3,
  lrSchedulerType: 'warmup_stable_decay',
  lrSchedulerKwargs: { num_decay_steps: 1000, decay_type: 'linear' },
  warmupSteps: 30,
  maxSteps: 1200,
  loggingSteps: 20,
  saveSteps: 200,
  saveTotalLimit: 3,
});
