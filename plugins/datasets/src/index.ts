// Datasets: reads files, folders and Hugging Face ids in the usual formats and makes token samples of
// them. Chat templates are another plugin's.
import { TEMPLATE_CHOICE } from '@lmflow/plugin-chat-templates';
import { HUB, SAMPLES, definePlugin, token } from '@lmflow/sdk';
import { DatasetLoader } from './loader.ts';
import { aliases, optionsSchema, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export {
  optionsSchema as datasetOptions,
  type DatasetEntry,
  type DatasetOptions,
} from './options.ts';
export type { OpenedSplits } from './loader.ts';

/**
 * The loader itself: `open()` gives the records (also preference pairs) to plugins that make
 * samples of their own.
 */
export const DATASETS = token<DatasetLoader>('@lmflow/plugin-datasets:datasets');

const datasets = definePlugin({
  name: '@lmflow/plugin-datasets',
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-chat-templates'],
  options: { schema: optionsSchema, aliases, unsupported },
  apply(context) {
    context.provide(
      DATASETS,
      (resolve) =>
        new DatasetLoader({
          templates: resolve(TEMPLATE_CHOICE),
          options: context.options,
          config: context.config,
          hooks: context.hooks,
          log: context.log,
          hub: () => resolve(HUB),
          version: manifest.version,
        }),
    );
    context.provide(SAMPLES, (resolve) => resolve(DATASETS));
  },
});

export default datasets;
