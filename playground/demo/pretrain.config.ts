// First: a tiny Llama from random weights, about three minutes of reading definitions.
import { defineConfig } from '@lmflow/sdk';
import finetune from '@lmflow/preset-finetune';

export default defineConfig({
  presets: [finetune],
  model: 'work/model',
  fromScratch: true,
  dataset: 'work/sentences.jsonl',
  outputDir: 'work/base',
  overwriteOutputDir: true,
  packing: true,
  blockSize: 256,
  perDeviceTrainBatchSize: 8,
  maxSteps: 600,
  learningRate: 3e-3,
  warmupSteps: 30,
  weightDecay: 0.01,
  loggingSteps: 50,
  saveStrategy: 'no',
});
