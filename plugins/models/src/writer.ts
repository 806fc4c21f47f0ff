// The MODEL_WRITER service: a whole model as a Hugging Face folder in float32, under the names it
// was read by.
import { join } from 'node:path';
import { writeFileAtomic } from '@lmflow/sdk/files';
import {
  loadParameter,
  type Model,
  type ModelWriteOptions,
  type ModelWriter,
} from '@lmflow/sdk/model';
import { writeCheckpoint, type TensorToWrite } from '@lmflow/sdk/formats';
import { parametersLeftOut } from './errors.ts';

export class HuggingFaceWriter implements ModelWriter {
  async write(
    model: Model,
    directory: string,
    { mergeAdapter = false, shardBytes }: ModelWriteOptions = {},
  ): Promise<string[]> {
    if (mergeAdapter) checkComplete(model);
    const files = await writeCheckpoint(directory, tensors(model, mergeAdapter), shardBytes);
    const texts = new Map<string, string | Uint8Array>([
      ['config.json', json(savedConfig(model.config))],
    ]);
    if (model.generationConfig) texts.set('generation_config.json', json(model.generationConfig));
    for (const [name, content] of await model.tokenizer.files()) texts.set(name, content);
    for (const [name, content] of texts) await writeFileAtomic(join(directory, name), content);
    return [...files, ...texts.keys()];
  }
}

/**
 * Throws LMFLOW_MODEL_PARAMETERS_LEFT_OUT where a model has parameters that are neither weights nor
 * its adapter's: what is written for others to use would compute something else. In training such
 * parameters have files of their own.
 */
export function checkComplete({ source, weights, parameters, adapter }: Model): void {
  const own = new Set(adapter?.parameters);
  const names = [...parameters]
    .filter(([name, parameter]) => !weights.has(name) && !own.has(parameter))
    .map(([name]) => name);
  if (names.length > 0) throw parametersLeftOut(source, names);
}

/** Trained weights from memory, frozen ones read when their turn comes. */
function* tensors(
  model: Model,
  mergeAdapter: boolean,
): Generator<readonly [string, TensorToWrite]> {
  for (const [name, { shape }] of model.weights) {
    const parameter = model.parameters.get(name);
    const base = async (): Promise<Float32Array> =>
      parameter ? loadParameter(parameter) : model.read(name);
    const merged = async (): Promise<Float32Array> => {
      const numbers = await base();
      const delta = model.adapter?.delta(name, numbers);
      return delta ? numbers.map((number, index) => number + delta[index]!) : numbers;
    };
    yield [name, { shape: parameter?.shape ?? shape, data: mergeAdapter ? merged : base }];
  }
}

/**
 * config.json says float32, under the key (transformers 5's `dtype`, before it `torch_dtype`) that
 * it had, and nothing of packed weights.
 */
function savedConfig({
  quantization_config: _packed,
  ...config
}: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...config, ['torch_dtype' in config ? 'torch_dtype' : 'dtype']: 'float32' };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
