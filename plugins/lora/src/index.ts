// Low-rank adapters (Hu et al. 2021): trains two small matrices beside each chosen linear and saves
// them as PEFT does.
import { join } from 'node:path';
import { definePlugin } from '@lmflow/sdk';
import { declareMethod, setAdapter, type Model } from '@lmflow/sdk/model';
import { requestedAdapter, takeAdapterTemplate, TENSOR_FILE } from '@lmflow/sdk/peft';
import { applyBaseRecords, MODEL_FAMILIES, saveAdapter } from '@lmflow/plugin-models';
import { LoraAdapter } from './adapter.ts';
import { assign, loadAdapter } from './load.ts';
import { loadNamed } from './named-adapters.ts';
import { aliases, loraOptions, namedAdapters, unsupported, type LoraOptions } from './options.ts';
import { readAdapter } from './read.ts';
import { carriedWeights } from './replaced.ts';
import { wrapFor } from './wraps.ts';
import manifest from '../package.json' with { type: 'json' };

export { LoraAdapter } from './adapter.ts';
export type { LoraPair } from './pair.ts';
export { loraOptions, type LoraOptions } from './options.ts';

const name = '@lmflow/plugin-lora';

const lora = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'lora', schema: loraOptions, aliases, unsupported },
  apply(context) {
    context.hooks.onModelLoad.tap('adapters', async (model, request) => {
      const { role, purpose, settings } = request;
      const {
        log,
        config: { seed = 42 },
      } = context;
      // a reward model has the adapter that its request names, never the policy's
      if (role !== 'policy' && !(role === 'reward' && settings?.adapter)) return;
      const asked = await requestedAdapter('LORA', request, context.options.adapter);
      const options = {
        ...context.options,
        adapter: asked,
        ...(settings?.adapter === undefined ? {} : { adapters: {} }),
      };
      const families = context.rows(MODEL_FAMILIES);
      await applyBaseRecords(foldersOf(options), model, { families, log });
      const named =
        purpose === 'inference' ? await loadNamed(model, options, seed) : new Map<string, Model>();
      if (named.size > 0) model.adapters = named;
      const others = [...named.values()].map((one) => one.adapter as LoraAdapter);
      if (purpose === 'inference') {
        if (options.adapter === undefined) return wrapFor(others, model, name);
        await takeAdapterTemplate(options.adapter, model.tokenizer);
      }
      const { adapter, overruled } = await loadAdapter(model, options, seed);
      wrapFor([...others, adapter], model, name);
      if (overruled.length > 0) {
        log.warn(
          `lora.adapter: the settings of the adapter replace lora.${overruled.join(', lora.')}`,
        );
      }
      for (const parameter of adapter.parameters) model.parameters.set(parameter.name, parameter);
      setAdapter(model, adapter);
      if (purpose === 'training') declareMethod(model, { plugin: name, name: adapter.method });
    });

    context.hooks.onSave.tap(async (checkpoint) => {
      const { adapter } = checkpoint.model;
      if (adapter instanceof LoraAdapter) await saveAdapter(checkpoint, adapter);
    });

    context.hooks.onRestore.tap(async ({ model, directory }) => {
      if (!(model.adapter instanceof LoraAdapter)) return;
      const { parameters } = model.adapter;
      const file = join(directory, TENSOR_FILE);
      const { tensors } = await readAdapter(directory, model);
      const { own } = await carriedWeights(model, tensors, parameters, file);
      await assign(model, model.adapter, own, file);
    });
  },
});

function foldersOf(options: LoraOptions): string[] {
  const own = options.adapter === undefined ? [] : [options.adapter];
  return [...own, ...[...namedAdapters(options)].map(([, folder]) => folder)];
}

export default lora;
