// Models that plugins bring with them: `model: 'default'`. Folders and hub ids need no row.
import { registry } from './registry.ts';

/** A model in a plugin's own package. */
export interface ModelSource {
  /** What `model` says. */
  readonly name: string;
  /** What it is, in half a sentence, for messages. */
  readonly summary: string;
  /** Its folder, in Hugging Face's layout. */
  readonly folder: string;
}

/**
 * The models that plugins bring. A folder of the name comes first, a model of the hub last. The one
 * named `default` is what `lmflow chat` takes where no model is named.
 */
export const MODEL_SOURCES = registry<ModelSource>(
  'model-sources',
  'model',
  '@lmflow/plugin-default-model',
);
