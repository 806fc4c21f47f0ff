// Then: LoRA on questions about animals, measured on questions it has not seen.
import { defineConfig } from '@lmflow/sdk';
import lora from '@lmflow/preset-lora';

export default defineConfig({
  presets: [lora],
  model: 'work/base',
  dataset: 'work/questions.json',
  evalDataset: 'work/held-out.json',
  outputDir: 'work/adapter',
  overwriteOutputDir: true,
  lora: { r: 16 },
  perDeviceTrainBatchSize: 16,
  numTrainEpochs: 2,
  learningRate: 3e-3,
  evalStrategy: 'epoch',
  evalOnStart: true,
  loggingSteps: 20,
  saveStrategy: 'no',
});
