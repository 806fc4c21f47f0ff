// Adapters by name on one model: for each adapter a view of the model that shares weights and
// building functions.
import { view, type Model } from '@lmflow/sdk/model';
import { adapterTemplate, takeAdapterTemplate } from '@lmflow/sdk/peft';
import { loadAdapter } from './load.ts';
import { namedAdapters, type LoraOptions } from './options.ts';

/** Reads the adapters of `options.adapters`; throws as `lora.adapter` does. */
export async function loadNamed(
  model: Model,
  options: LoraOptions,
  seed: number,
): Promise<ReadonlyMap<string, Model>> {
  const views = new Map<string, Model>();
  for (const [name, folder] of namedAdapters(options)) {
    // figures of its own: another adapter may give the model a head apart from the embedding
    const { architecture, config } = model;
    const own = view(model, { architecture, config, adapters: undefined });
    const { adapter } = await loadAdapter(own, { ...options, adapter: folder }, seed);
    const tokenizer =
      adapterTemplate(folder) === undefined ? model.tokenizer : model.tokenizer.clone();
    await takeAdapterTemplate(folder, tokenizer);
    const parameters = new Map(adapter.parameters.map((parameter) => [parameter.name, parameter]));
    views.set(name, Object.assign(own, { adapter, tokenizer, parameters }));
  }
  return views;
}
