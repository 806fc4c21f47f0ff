// The model of the application; a flag of the same name wins: npm start -- --model org/model
import { defineConfig } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';

export default defineConfig({
  presets: [inference],
  model: 'default',
  generate: { maxNewTokens: 60, doSample: false },
});
