// IA3 (Liu et al. 2022): trains one vector for each chosen linear, which scales its output or its
// input, and saves them as PEFT does.
import { definePlugin } from '@lmflow/sdk';
import { declareMethod, setAdapter } from '@lmflow/sdk/model';
import { requestedAdapter, takeAdapterTemplate } from '@lmflow/sdk/peft';
import { applyBaseRecords, MODEL_FAMILIES, saveAdapter } from '@lmflow/plugin-models';
import { Ia3Adapter } from './adapter.ts';
import { scaleHead, scaleLinears } from './apply.ts';
import { loadAdapter, restoreAdapter } from './load.ts';
import { aliases, ia3Options, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { Ia3Adapter } from './adapter.ts';
export { ia3Options, type Ia3Options } from './options.ts';
export type { Ia3Vector } from './vector.ts';

const name = '@lmflow/plugin-ia3';

const ia3 = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'ia3', schema: ia3Options, aliases, unsupported },
  apply(context) {
    context.hooks.onModelLoad.tap('adapters', async (model, request) => {
      const { role, purpose } = request;
      const { log } = context;
      const folder = await requestedAdapter('IA3', request, context.options.adapter);
      const options = { ...context.options, adapter: folder };
      const { adapter: _, ...modules } = options;
      if (role !== 'policy' || (purpose === 'inference' && folder === undefined)) return;
      if (folder !== undefined) {
        const families = context.rows(MODEL_FAMILIES);
        await applyBaseRecords([folder], model, { families, log });
        if (purpose === 'inference') await takeAdapterTemplate(folder, model.tokenizer);
        const set = Object.entries(modules).flatMap(([key, value]) =>
          value === undefined ? [] : [`ia3.${key}`],
        );
        if (set.length > 0) {
          log.warn(`ia3.adapter: the modules of the adapter replace ${set.join(', ')}`);
        }
      }
      const adapter = await loadAdapter(model, options);
      const layers = [...adapter.vectors.values()].map(({ layer }) => layer);
      if (layers.some(({ layer }) => layer !== undefined)) scaleLinears(model, name);
      if (layers.some(({ layer }) => layer === undefined)) scaleHead(model, name);
      for (const parameter of adapter.parameters) model.parameters.set(parameter.name, parameter);
      setAdapter(model, adapter);
      if (purpose === 'training') declareMethod(model, { plugin: name, name: adapter.method });
    });

    context.hooks.onSave.tap(async (checkpoint) => {
      const { adapter } = checkpoint.model;
      if (adapter instanceof Ia3Adapter) await saveAdapter(checkpoint, adapter);
    });

    context.hooks.onRestore.tap(async ({ model, directory }) => {
      if (model.adapter instanceof Ia3Adapter) await restoreAdapter(model.adapter, directory);
    });
  },
});

export default ia3;
