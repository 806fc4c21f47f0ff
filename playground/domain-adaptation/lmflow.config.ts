// What `npm run demo` trains: an adapter that reads 200 medical terms and answers questions about half of
// them. It is a configuration like yours would be.
import { defineConfig } from '@lmflow/sdk';
import defaultModel from '@lmflow/plugin-default-model';
import lora from '@lmflow/preset-lora';

export default defineConfig({
  presets: [lora],
  plugins: [defaultModel],
  model: 'default',
  dataset: ['work/texts.jsonl', 'work/tasks.jsonl', 'work/replay.jsonl'],
  outputDir: 'work/adapter',
  overwriteOutputDir: true,
  lora: { r: 32 },
  packing: true,
  blockSize: 256,
  perDeviceTrainBatchSize: 8,
  maxSteps: 300,
  learningRate: 1e-2,
  loggingSteps: 20,
  saveStrategy: 'no',
});
