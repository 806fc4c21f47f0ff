// Parameters of a method, kept in a file of their own beside the checkpoint: declared, saved and
// restored. Whole models and adapters in PEFT's layout are others' (finetune, lora).
import { join } from 'node:path';
import { readSafetensors } from '../formats/index.ts';
import type { Hooks } from '../hooks.ts';
import type { Model } from './model.ts';
import { assignParameters } from './assign-parameters.ts';
import type { Parameter } from './parameter.ts';
import { loadParameter } from './parameter-storage.ts';

/** The parameters that a plugin declares, in one file of each checkpoint and of the result. */
export interface ParameterFile {
  /**
   * Adds parameters to a model; the file then has them at every save, and a resumed training gets
   * them back. With `folder` they have the numbers of the file there: LMFLOW_SAFETENSORS_* or
   * LMFLOW_PARAMETERS_MISMATCH where it cannot be used.
   */
  declare(model: Model, parameters: readonly Parameter[], folder?: string): Promise<void>;
}

/**
 * Keeps a plugin's parameters in `file` (`gates.safetensors`): taps onSave and onRestore. Call it in
 * `apply`, and `declare` in onModelLoad.
 */
export function parameterFile(
  { onSave, onRestore }: Pick<Hooks, 'onSave' | 'onRestore'>,
  file: string,
): ParameterFile {
  const declared = new WeakMap<Model, readonly Parameter[]>();
  const read = async (parameters: readonly Parameter[], folder: string): Promise<void> => {
    const path = join(folder, file);
    await assignParameters(parameters, await readSafetensors(path), path);
  };
  onSave.tap(async (checkpoint) => {
    const parameters = declared.get(checkpoint.model);
    if (!parameters) return;
    const tensors = parameters.map((parameter) => {
      const { name, shape } = parameter;
      return [name, { shape, data: () => loadParameter(parameter) }] as const;
    });
    await checkpoint.writeTensors(file, new Map(tensors));
  });
  onRestore.tap(async ({ model, directory }) => {
    const parameters = declared.get(model);
    if (parameters) await read(parameters, directory);
  });
  return {
    async declare(model, parameters, folder) {
      if (folder !== undefined) await read(parameters, folder);
      for (const parameter of parameters) model.parameters.set(parameter.name, parameter);
      declared.set(model, parameters);
    },
  };
}
