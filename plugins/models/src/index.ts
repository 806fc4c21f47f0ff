// Models in Hugging Face's layout: reads folders and downloads ids, knows the families of
// architectures, writes whole models.
import { HUB, MODELS, MODEL_SOURCES, MODEL_WRITER, definePlugin, type Hub } from '@lmflow/sdk';
import { families } from './families/index.ts';
import { MODEL_FAMILIES } from './families/family.ts';
import { HuggingFaceModels } from './loader.ts';
import { aliases, modelOptions, unsupported } from './options.ts';
import { HuggingFaceWriter } from './writer.ts';
import manifest from '../package.json' with { type: 'json' };

export { architectureOf } from './architecture/blueprint.ts';
export { applyBaseRecords, saveAdapter } from './base-record.ts';
export { MODEL_FAMILIES, type ModelFamilies, type ModelFamily } from './families/family.ts';
export { gpt2 } from './families/gpt2.ts';
export { commonRefusals, llama } from './families/llama.ts';
export { modelOptions, type ModelOptions } from './options.ts';
export {
  ropeFrequencies,
  ropeTables,
  type Frequencies,
  type RopeTables,
} from './build/rope-tables.ts';
export { loadTokenizer } from './tokenizer/tokenizer.ts';
export { checkComplete } from './writer.ts';

const models = definePlugin({
  name: '@lmflow/plugin-models',
  version: manifest.version,
  sdk: '^1.0.0',
  options: { schema: modelOptions, aliases, unsupported },
  apply(context) {
    for (const family of families) context.contribute(MODEL_FAMILIES, family);
    context.provide(MODELS, (resolve) => {
      const { hooks, log, options, config } = context;
      const hub = (): Hub => resolve(HUB);
      const brought = context.rows(MODEL_SOURCES);
      const needs = { hooks, log, options, config, brought, hub };
      return new HuggingFaceModels(needs, context.rows(MODEL_FAMILIES));
    });
    context.provide(MODEL_WRITER, () => new HuggingFaceWriter());
  },
});

export default models;
