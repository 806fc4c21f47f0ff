// Datasets: reads files, folders and Hugging Face ids in the usual formats and makes token samples of
// them. Chat templates are another plugin's.
import { TEMPLATE_CHOICE } from '@lmflow/plugin-chat-templates';
import { DATASET_FORMATS, DATASET_READERS, HUB, SAMPLES, definePlugin, token } from '@lmflow/sdk';
import { FormatTable } from './formats/format-table.ts';
import { datasetFormats } from './formats/index.ts';
import { DatasetLoader } from './loader.ts';
import { datasetReaders } from './readers/index.ts';
import { ReaderTable } from './readers/reader-table.ts';
import { aliases, optionsSchema, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export {
  optionsSchema as datasetOptions,
  type DatasetEntry,
  type DatasetOptions,
} from './options.ts';
export type { DatasetLoader, OpenedSplits } from './loader.ts';
export { packedSamples } from './samples/packed-samples.ts';
export { answerRows, type PromptedAnswer } from './samples/tokenization.ts';

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
    for (const format of datasetFormats) context.contribute(DATASET_FORMATS, format);
    for (const reader of datasetReaders) context.contribute(DATASET_READERS, reader);
    context.provide(
      DATASETS,
      (resolve) =>
        new DatasetLoader({
          templates: resolve(TEMPLATE_CHOICE),
          formats: new FormatTable(builtInFirst(datasetFormats, context.rows(DATASET_FORMATS))),
          readers: new ReaderTable(builtInFirst(datasetReaders, context.rows(DATASET_READERS))),
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

/** All rows of a table; the last that fits is taken, so those of other plugins come behind. */
function builtInFirst<R>(builtIn: readonly R[], rows: Iterable<R>): readonly R[] {
  return [...builtIn, ...[...rows].filter((row) => !builtIn.includes(row))];
}

export default datasets;
