// Takes the place of the plugin models, which loads nothing in these tests.
import { definePlugin } from '@lmflow/sdk';

export const modelsInPlace = definePlugin({
  name: '@lmflow/plugin-models',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply: () => undefined,
});
