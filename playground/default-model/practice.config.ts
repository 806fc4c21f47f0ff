// Third: texts whose questions only the text can answer; the loss is on answers alone.
import { defineConfig } from '@lmflow/sdk';
import finetune from '@lmflow/preset-finetune';

export default defineConfig({
  presets: [finetune],
  model: 'work/lessons',
  dataset: ['work/practice-texts.jsonl', 'work/practice-conversations.jsonl'],
  packing: true,
  blockSize: 512,
  outputDir: 'work/practice',
  perDeviceTrainBatchSize: 8,
  optim: 'muon',
  learningRate: 4e-3,
  lrSchedulerType: 'constant_with_warmup',
  warmupSteps: 30,
  maxSteps: 1400,
  loggingSteps: 20,
  saveSteps: 200,
  saveTotalLimit: 3,
});
