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
  // The weights of a model this small are large: the adapter's scale (alpha over r) must be, too.
  lora: { r: 64, loraAlpha: 512 },
  packing: true,
  blockSize: 256,
  perDeviceTrainBatchSize: 8,
  maxSteps: 600,
  optim: 'muon',
  learningRate: 1.5e-3,
  lrSchedulerType: 'linear',
  warmupSteps: 20,
  loggingSteps: 20,
  saveStrategy: 'no',
});
