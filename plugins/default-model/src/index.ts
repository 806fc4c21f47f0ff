// The default model: `model: 'default'`. The package holds its files; how they were made is in
// playground/default-model.
import { fileURLToPath } from 'node:url';
import { MODEL_SOURCES, definePlugin } from '@lmflow/sdk';
import manifest from '../package.json' with { type: 'json' };

const defaultModel = definePlugin({
  name: '@lmflow/plugin-default-model',
  version: manifest.version,
  sdk: '^1.0.0',
  apply(context) {
    context.contribute(MODEL_SOURCES, {
      name: 'default',
      summary: 'a very small one that knows simple facts and little scenes',
      // The same from src and from dist.
      folder: fileURLToPath(new URL('../model', import.meta.url)),
    });
  },
});

export default defaultModel;
