// Datasets: reads files, folders and Hugging Face ids in the usual formats, renders chat templates,
// and makes token samples of them.
import { createRequire } from 'node:module';
import { SAMPLES, Stage, definePlugin, token } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { DatasetLoader } from './loader.ts';
import { aliases, optionsSchema, unsupported } from './options.ts';
import { setTemplate } from './template.ts';

export {
  optionsSchema as datasetOptions,
  type DatasetEntry,
  type DatasetOptions,
} from './options.ts';
export type { OpenedSplits } from './loader.ts';
export { templates, type NamedTemplate } from './templates.ts';

/**
 * The loader itself: `open()` gives the records (also preference pairs) to plugins that make
 * samples of their own.
 */
export const DATASETS = token<DatasetLoader>('@lmflow/plugin-datasets:datasets');

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const name = '@lmflow/plugin-datasets';

const datasets = definePlugin({
  name,
  version,
  sdk: '^1.0.0',
  options: { schema: optionsSchema, aliases, unsupported },
  apply(context) {
    // For training it is settled with the data, whose kind decides where nothing is wanted.
    // Adapters come with templates of their own in between.
    const own = new WeakMap<Model, string>();
    context.hooks.onModelLoad.tap({ name, stage: Stage.Early }, (model) => {
      if (model.tokenizer.chatTemplate !== undefined) own.set(model, model.tokenizer.chatTemplate);
      return model;
    });
    context.hooks.onModelLoad.tap({ name, stage: Stage.Late }, (model, { purpose }) => {
      const wanted = context.options.chatTemplate;
      if (purpose === 'inference' && wanted !== undefined) {
        setTemplate(model, wanted, own.get(model), context.log);
      }
      return model;
    });
    context.provide(
      DATASETS,
      () =>
        new DatasetLoader({
          options: context.options,
          config: context.config,
          hooks: context.hooks,
          log: context.log,
          version,
        }),
    );
    context.provide(SAMPLES, (resolve) => resolve(DATASETS));
  },
});

export default datasets;
