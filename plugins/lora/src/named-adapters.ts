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
    const { adapter } = await loadAdapter(model, { ...options, adapter: folder }, seed);
    const tokenizer =
      adapterTemplate(folder) === undefined ? model.tokenizer : model.tokenizer.clone();
    await takeAdapterTemplate(folder, tokenizer);
    views.set(
      name,
      view(model, {
        adapter,
        tokenizer,
        adapters: undefined,
        parameters: new Map(adapter.parameters.map((parameter) => [parameter.name, parameter])),
      }),
    );
  }
  return views;
}
