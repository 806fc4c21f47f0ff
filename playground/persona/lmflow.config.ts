// An adapter that is a companion, on the default model.
import { defineConfig } from '@lmflow/sdk';
import defaultModel from '@lmflow/plugin-default-model';
import lora from '@lmflow/preset-lora';

export default defineConfig({
  presets: [lora],
  plugins: [defaultModel],
  model: 'default',
  dataset: 'work/dialogues.jsonl',
  outputDir: 'work/companion',
  overwriteOutputDir: true,
  lora: { r: 16 },
  perDeviceTrainBatchSize: 16,
  maxSteps: 60,
  learningRate: 1e-2,
  loggingSteps: 10,
  saveStrategy: 'no',
});
