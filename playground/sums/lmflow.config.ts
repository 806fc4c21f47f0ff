// What `npm run learn` trains: an adapter of the default model, by rewards of its own answers. No
// answer is ever shown to it.
import { defineConfig } from '@lmflow/sdk';
import defaultModel from '@lmflow/plugin-default-model';
import grpo from '@lmflow/preset-grpo';

export default defineConfig({
  presets: [grpo],
  plugins: [defaultModel],
  model: 'default',
  dataset: 'work/train.jsonl',
  evalDataset: 'work/held-out.jsonl',
  outputDir: 'work/adapter',
  overwriteOutputDir: true,
  rewards: ['number'],
  grpo: { numGenerations: 8, maxCompletionLength: 16 },
  lora: { r: 16 },
  perDeviceTrainBatchSize: 8,
  gradientAccumulationSteps: 1,
  maxSteps: 60,
  learningRate: 2e-3,
  evalStrategy: 'steps',
  evalSteps: 20,
  evalOnStart: true,
  loggingSteps: 5,
  saveStrategy: 'no',
});
