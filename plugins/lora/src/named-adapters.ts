// Adapters by name on one model: for each adapter a view of the model that shares weights and
// building functions.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Tokenizer } from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';
import { view, type Model } from '@lmflow/sdk/model';
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
    const tokenizer = templateOf(folder) === undefined ? model.tokenizer : model.tokenizer.clone();
    await takeTemplate(folder, tokenizer);
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

/** Sets the chat template that an adapter was trained with, where its folder has one. */
export async function takeTemplate(folder: string, tokenizer: Tokenizer): Promise<void> {
  const file = templateOf(folder);
  if (file === undefined) return;
  tokenizer.chatTemplate = await readWhole(file);
  tokenizer.chatTemplateOrigin = file;
}

function templateOf(folder: string): string | undefined {
  const file = join(folder, 'chat_template.jinja');
  return existsSync(file) ? file : undefined;
}
