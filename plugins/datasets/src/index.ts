// Datasets: reads files, folders and Hugging Face ids in the usual formats, renders chat templates, and makes token samples of them.
import { createRequire } from 'node:module';
import { SAMPLES, definePlugin } from '@lmflow/sdk';
import { DatasetLoader } from './loader.ts';
import { aliases, optionsSchema, unsupported } from './options.ts';

export { optionsSchema as datasetOptions, type DatasetEntry, type DatasetOptions } from './options.ts';
export { templates } from './templates.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const datasets = definePlugin({
  name: '@lmflow/plugin-datasets',
  version,
  sdk: '^1.0.0',
  options: { schema: optionsSchema, aliases, unsupported },
  apply(context) {
    context.provide(SAMPLES, () => new DatasetLoader({ options: context.options, config: context.config, hooks: context.hooks, log: context.log, version }));
  },
});

export default datasets;
