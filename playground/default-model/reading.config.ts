// First: a small Llama from random weights reads everything; the loss is on every token.
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
  outputDir: 'work/first',
  perDeviceTrainBatchSize: 4,
  optim: 'muon',
  learningRate: 4e-3,
  lrSchedulerType: 'constant_with_warmup',
  warmupSteps: 100,
  maxSteps: 2100,
  loggingSteps: 20,
  saveSteps: 100,
  saveTotalLimit: 4,
});
