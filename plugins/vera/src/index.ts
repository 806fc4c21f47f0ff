// VeRA (Kopiczko et al. 2023): trains two vectors for each chosen linear, around random matrices that
// all linears share, and saves them as PEFT does.
import { definePlugin } from '@lmflow/sdk';
import { declareMethod, setAdapter } from '@lmflow/sdk/model';
import { requestedAdapter, takeAdapterTemplate } from '@lmflow/sdk/peft';
import { applyBaseRecords, MODEL_FAMILIES, saveAdapter } from '@lmflow/plugin-models';
import { VeraAdapter } from './adapter.ts';
import { addToHead, addToLinears } from './apply.ts';
import { loadAdapter, restoreAdapter } from './load.ts';
import { aliases, unsupported, veraOptions, type VeraOptions } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { VeraAdapter } from './adapter.ts';
export { veraOptions, type VeraOptions } from './options.ts';
export type { VeraVectors } from './vectors.ts';

const name = '@lmflow/plugin-vera';
const DEFAULTS = veraOptions.parse({});

const vera = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'vera', schema: veraOptions, aliases, unsupported },
  apply(context) {
    context.hooks.onModelLoad.tap('adapters', async (model, request) => {
      const { role, purpose } = request;
      const { log } = context;
      const folder = await requestedAdapter('VERA', request, context.options.adapter);
      const options = { ...context.options, adapter: folder };
      const { adapter: _, ...settings } = options;
      if (role !== 'policy' || (purpose === 'inference' && folder === undefined)) return;
      if (folder !== undefined) {
        const families = context.rows(MODEL_FAMILIES);
        await applyBaseRecords([folder], model, { families, log });
        if (purpose === 'inference') await takeAdapterTemplate(folder, model.tokenizer);
        const set = Object.entries(settings).flatMap(([key, value]) =>
          value === DEFAULTS[key as keyof VeraOptions] ? [] : [`vera.${key}`],
        );
        if (set.length > 0) {
          log.warn(`vera.adapter: the settings of the adapter replace ${set.join(', ')}`);
        }
      }
      const adapter = await loadAdapter(model, options);
      const layers = [...adapter.vectors.values()].map(({ layer }) => layer);
      if (layers.some(({ layer }) => layer !== undefined)) addToLinears(model, name);
      if (layers.some(({ layer }) => layer === undefined)) addToHead(model, name);
      for (const parameter of adapter.parameters) model.parameters.set(parameter.name, parameter);
      setAdapter(model, adapter);
      if (purpose === 'training') declareMethod(model, { plugin: name, name: adapter.method });
    });

    context.hooks.onSave.tap(async (checkpoint) => {
      const { adapter } = checkpoint.model;
      if (adapter instanceof VeraAdapter) await saveAdapter(checkpoint, adapter);
    });

    context.hooks.onRestore.tap(async ({ model, directory }) => {
      if (model.adapter instanceof VeraAdapter) await restoreAdapter(model.adapter, directory);
    });
  },
});

export default vera;
