// A model as transformers.js loads it: onnx/model.onnx with its numbers beside it, config and
// tokenizer files. The graph is the building functions' own (graph.ts); the adapter's share is
// added to the weights as they are written.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Model } from '@lmflow/sdk/model';
import type { PortableModelMaker } from '@lmflow/plugin-engine-onnx';
import { onnxUnsupported } from '../errors.ts';
import { FILE_BYTES, layOut, writeData } from './file.ts';
import { ONNX_NUMBERS, type OnnxNumbers } from './numbers.ts';
import { traced } from './trace.ts';

export interface OnnxRequest {
  /**
   * The model; `base` is the same one without its adapter's building functions (it itself where it
   * has none).
   */
  readonly model: Model;
  readonly base: Model;
  readonly portableModel: PortableModelMaker;
  readonly directory: string;
  /** A model each; the first is what readers take that ask for none. */
  readonly numbers: readonly OnnxNumbers[];
  /** Positions that the model can be given; the architecture's by default. */
  readonly contextLength?: number | undefined;
  readonly signal: AbortSignal;
  /** Bytes of a data file, for tests. */
  readonly fileBytes?: number;
}

/**
 * Writes into an empty folder; gives the names of the files. Throws LMFLOW_ONNX_* before anything
 * is written.
 */
export async function exportOnnx({
  model,
  base,
  portableModel,
  directory,
  numbers,
  contextLength,
  signal,
  fileBytes = FILE_BYTES,
}: OnnxRequest): Promise<string[]> {
  const length = contextLength ?? model.architecture.maxPositions;
  checkPositions(model);
  const models = numbers.map((name) => ({
    file: `model${ONNX_NUMBERS[name].suffix}.onnx`,
    ...traced(model, base, portableModel, name, length),
  }));

  const folder = join(directory, 'onnx');
  await mkdir(folder, { recursive: true });
  const dataFiles: Record<string, readonly string[]> = {};
  for (const { file, portable, read } of models) {
    const layout = layOut(portable.tensors, file, fileBytes);
    await writeData(folder, portable.tensors, layout, async (tensor) => {
      signal.throwIfAborted();
      return tensor.source instanceof Uint8Array ? tensor.source : read(tensor.source);
    });
    await writeFile(join(folder, file), portable.encode(layout.places));
    dataFiles[file] = layout.files;
  }
  const settings = {
    dtype: ONNX_NUMBERS[numbers[0]!].dtype,
    use_external_data_format: Object.fromEntries(
      Object.entries(dataFiles).map(([file, { length: count }]) => [file, count]),
    ),
  };
  const texts = await sidecars(model, settings);
  for (const [name, content] of texts) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
  return [
    ...Object.entries(dataFiles)
      .flatMap(([file, data]) => [file, ...data])
      .map((name) => `onnx/${name}`),
    ...texts.keys(),
  ];
}

/** Rotary tables are part of the model, so they cannot depend on how long a text is. */
function checkPositions({ source, architecture: { rope, maxPositions } }: Model): void {
  if (rope?.scaling.type === 'dynamic') {
    throw onnxUnsupported(
      source,
      'its rope scaling "dynamic" turns positions by the length of the text, and the tables of an ONNX model are fixed',
    );
  }
  const original = rope?.scaling['original_max_position_embeddings'] as number | undefined;
  if (rope?.scaling.type === 'longrope' && maxPositions > original!) {
    throw onnxUnsupported(
      source,
      `its rope scaling "longrope" has other factors for texts beyond ${original} tokens, and the tables of an ONNX model are fixed`,
    );
  }
}

/**
 * config.json, generation_config.json and the tokenizer's files; transformers.js looks for the chat
 * template in tokenizer_config.json.
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
