// Writes a model as transformers.js loads it: onnx/model.onnx with its data files, config and
// tokenizer files. graph.ts makes the graph from the model's building functions; what the adapter
// adds goes into the weights as they are written.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import type { PortableModelMaker, PortableSessionOpener } from '@lmflow/plugin-engine-onnx';
import { onnxUnsupported } from '../errors.ts';
import { ONNX_QUANTIZATIONS, type OnnxQuantization } from './exported-weights.ts';
import { FILE_BYTES, layOut, writeData } from './file.ts';
import { traced } from './traced-model.ts';
import { tryOnnx } from './trial.ts';

export interface OnnxRequest {
  readonly model: Model;
  /** The model without the building functions of its adapter; the same object if it has none. */
  readonly base: Model;
  readonly portableModel: PortableModelMaker;
  /** Opens what was written, to try it. */
  readonly openSession: PortableSessionOpener;
  readonly directory: string;
  /** One model each; readers that name none load the first. */
  readonly quantizations: readonly OnnxQuantization[];
  /** Longest context of the exported model, in tokens; default: the architecture's. */
  readonly contextLength?: number | undefined;
  readonly signal: AbortSignal;
  /** Largest data file in bytes, for tests. */
  readonly fileBytes?: number;
}

/**
 * Writes into an empty folder and tries what it wrote; resolves to the names of the files. Throws
 * LMFLOW_ONNX_*, all but LMFLOW_ONNX_NOT_RUN before anything is written.
 */
export async function exportOnnx({
  model,
  base,
  portableModel,
  openSession,
  directory,
  quantizations,
  contextLength,
  signal,
  fileBytes = FILE_BYTES,
}: OnnxRequest): Promise<string[]> {
  const length = contextLength ?? model.architecture.maxPositions;
  checkPositions(model);
  const models = quantizations.map((name) => ({
    file: `model${ONNX_QUANTIZATIONS[name].suffix}.onnx`,
    ...traced(model, base, portableModel, name, length),
  }));

  const folder = join(directory, 'onnx');
  await makeFolder(folder);
  const dataFiles: Record<string, readonly string[]> = {};
  for (const { file, portable, read } of models) {
    const layout = layOut(portable.tensors, file, fileBytes);
    await writeData(folder, portable.tensors, layout, async (tensor) => {
      signal.throwIfAborted();
      return tensor.source instanceof Uint8Array ? tensor.source : read(tensor.source);
    });
    await writeFile(join(folder, file), portable.encode(layout.places));
    dataFiles[file] = layout.files;
    signal.throwIfAborted();
    await tryOnnx({
      path: join(folder, file),
      open: openSession,
      token: model.tokenizer.bosId ?? 0,
      contextLength: length,
    });
  }
  const settings = {
    dtype: ONNX_QUANTIZATIONS[quantizations[0]!].dtype,
    use_external_data_format: Object.fromEntries(
      Object.entries(dataFiles).map(([file, { length: count }]) => [file, count]),
    ),
  };
  const texts = await sidecars(model, settings);
  for (const [name, content] of texts) {
    await makeFolder(dirname(join(directory, name)));
    await writeFile(join(directory, name), content);
  }
  return [
    ...Object.entries(dataFiles)
      .flatMap(([file, data]) => [file, ...data])
      .map((name) => `onnx/${name}`),
    ...texts.keys(),
  ];
}

/** Refuses rotary tables that depend on the length of the text: an ONNX model holds them fixed. */
function checkPositions({ source, architecture: { rope, maxPositions } }: Model): void {
  if (rope?.scaling.type === 'dynamic') {
    throw onnxUnsupported(
      source,
      'rope scaling "dynamic" needs tables for each length, and an ONNX model has fixed ones',
    );
  }
  const original = rope?.scaling['original_max_position_embeddings'] as number | undefined;
  if (rope?.scaling.type === 'longrope' && maxPositions > original!) {
    throw onnxUnsupported(
      source,
      `rope scaling "longrope" needs other tables beyond ${original} tokens, and an ONNX model has fixed ones`,
    );
  }
}

/**
 * config.json, generation_config.json and the tokenizer's files; the chat template is written into
 * tokenizer_config.json, where transformers.js reads it.
 */
async function sidecars(
  model: Model,
  settings: Record<string, unknown>,
): Promise<Map<string, string | Uint8Array>> {
  const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
  const texts = new Map<string, string | Uint8Array>();
  const known = model.config['transformers.js_config'] as Record<string, unknown> | undefined;
  texts.set(
    'config.json',
    json({
      ...model.config,
      ['torch_dtype' in model.config ? 'torch_dtype' : 'dtype']: 'float32',
      'transformers.js_config': { ...known, ...settings },
    }),
  );
  if (model.generationConfig) texts.set('generation_config.json', json(model.generationConfig));
  const files = await model.tokenizer.files();
  for (const [name, content] of files) texts.set(name, content);
  const template = files.get('chat_template.jinja');
  const config = files.get('tokenizer_config.json');
  if (template && config) {
    texts.set(
      'tokenizer_config.json',
      json({
        ...(JSON.parse(new TextDecoder().decode(config)) as object),
        chat_template: new TextDecoder().decode(template),
      }),
    );
  }
  return texts;
}
