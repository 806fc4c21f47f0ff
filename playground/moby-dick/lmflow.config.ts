// What every row trains with; a row adds its method and a learning rate that suits it.
import { defineConfig } from '@lmflow/sdk';
import defaultModel from '@lmflow/plugin-default-model';
import finetune from '@lmflow/preset-finetune';

export default defineConfig({
  presets: [finetune],
  plugins: [defaultModel],
  model: 'default',
  dataset: ['work/book.jsonl', 'work/replay-texts.jsonl', 'work/replay-conversations.jsonl'],
  outputDir: 'work/full-replay',
  overwriteOutputDir: true,
  packing: true,
  blockSize: 256,
  perDeviceTrainBatchSize: 8,
  numTrainEpochs: 1,
  learningRate: 1e-3,
  warmupRatio: 0.05,
  loggingSteps: 50,
  saveStrategy: 'no',
});
