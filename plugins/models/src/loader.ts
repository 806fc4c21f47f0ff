// The MODELS service: finds the folder (local, cached or downloaded), reads the model, and lets the
// plugins have it.
import type { Config, Hooks, Hub, Logger, ModelSource, Rows } from '@lmflow/sdk';
import type { Model, ModelLoader, ModelRequest } from '@lmflow/sdk/model';
import type { ModelFamilies } from './families/family.ts';
import { readModel } from './model.ts';
import type { ModelOptions } from './options.ts';
import { findFolder } from './source.ts';
import { TokenizerProcesses } from './tokenizer/tokenizer-processes.ts';

export interface LoaderContext {
  readonly hooks: Hooks;
  readonly log: Logger;
  readonly options: ModelOptions;
  readonly config: Config;
  /** The models that plugins bring. */
  readonly brought: Rows<ModelSource>;
  /** Called for a model that is neither a folder nor a plugin's. */
  readonly hub: () => Hub;
}

export class HuggingFaceModels implements ModelLoader {
  readonly #processes = new TokenizerProcesses();

  constructor(
    private readonly context: LoaderContext,
    private readonly families: ModelFamilies,
  ) {}

  async load(request: ModelRequest): Promise<Model> {
    const { hooks, log, options, config, brought, hub } = this.context;
    // The configured revision is that of the configured model, not of a reference or draft model
    // from elsewhere.
    const revision =
      request.revision ?? (request.source === config.model ? options.revision : undefined);
    const found = await findFolder(
      { ...request, ...(revision === undefined ? {} : { revision }) },
      brought,
      hub,
    );
    // Likewise, only the model that is trained starts from random weights.
    const fromScratch =
      options.fromScratch && request.source === config.model && request.purpose === 'training'
        ? { fromScratch: config.seed ?? 42 }
        : {};
    const model = await readModel(
      { ...request, ...found, ...fromScratch },
      this.families,
      log,
      this.#processes,
    );
    await hooks.onModelLoad.promise(model, request);
    return model;
  }

  dispose(): void {
    this.#processes.dispose();
  }
}
