// A model as transformers.js loads it: onnx/model.onnx with its numbers beside it, config and tokenizer files. The graph is the building
// functions' own (graph.ts); the adapter's share is added to the weights as they are written.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Architecture, Model } from '@lmflow/sdk';
import type { WeightSource } from '@lmflow/sdk/graph';
import { portableModel, type Lowerings, type PortableModel, type PortableTensor } from '@lmflow/plugin-engine-onnx';
import { toFloat16 } from '@lmflow/sdk/formats';
import { onnxAmbiguous, onnxUnsupported } from '../errors.ts';
import { readMerged } from '../weights.ts';
import { FILE_BYTES, layOut, writeData } from './file.ts';
import { freeSizes, stepGraph } from './graph.ts';
import { registerLowerings } from './lowerings.ts';
import { standIns } from './sizes.ts';

/** Numbers of an export: transformers.js's `dtype` and the end of the model's name. */
export const ONNX_NUMBERS = {
  f32: { dtype: 'fp32', suffix: '' },
  f16: { dtype: 'fp16', suffix: '_fp16' },
} as const;
export type OnnxNumbers = keyof typeof ONNX_NUMBERS;

export interface OnnxRequest {
  /** The model; `base` is the same one without its adapter's building functions (it itself where it has none). */
  readonly model: Model;
  readonly base: Model;
  readonly lowerings: Lowerings;
  readonly directory: string;
  readonly numbers: OnnxNumbers;
  /** Positions that the model can be given; the architecture's by default. */
  readonly contextLength?: number | undefined;
  readonly signal: AbortSignal;
  /** Bytes of a data file, for tests. */
  readonly fileBytes?: number;
}

/** Writes into an empty folder; gives the names of the files. Throws LMFLOW_ONNX_* before anything is written. */
export async function exportOnnx({ model, base, lowerings, directory, numbers, contextLength, signal, fileBytes = FILE_BYTES }: OnnxRequest): Promise<string[]> {
  const length = contextLength ?? model.architecture.maxPositions;
  const { dtype, suffix } = ONNX_NUMBERS[numbers];
  checkPositions(model);
  registerLowerings(lowerings);
  const { portable, names } = traced(model, base, lowerings, numbers, length);

  const file = `model${suffix}.onnx`;
  const layout = layOut(portable.tensors, file, fileBytes);
  await mkdir(join(directory, 'onnx'), { recursive: true });
  await writeData(join(directory, 'onnx'), portable.tensors, layout, async (tensor) => {
    signal.throwIfAborted();
    if (tensor.source instanceof Uint8Array) return tensor.source;
    return bytesOf(tensor, await readMerged(model, names.get(tensor.source)!));
  });
  await writeFile(join(directory, 'onnx', file), portable.encode(layout.places));
  const settings = { dtype, use_external_data_format: { [file]: layout.files.length } };
  const texts = await sidecars(model, settings);
  for (const [name, content] of texts) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
  return [`onnx/${file}`, ...layout.files.map((name) => `onnx/${name}`), ...texts.keys()];
}

/** Traced twice with different stand-ins: what depends on them in a way that cannot be seen would differ. */
function traced(model: Model, base: Model, lowerings: Lowerings, numbers: OnnxNumbers, contextLength: number): { readonly portable: PortableModel; readonly names: ReadonlyMap<WeightSource, string> } {
  const names = new Map<WeightSource, string>();
  const weights = new Map<string, WeightSource>();
  for (const [name, { shape: stored }] of model.weights) {
    const shape = model.parameters.get(name)?.shape ?? stored;
    const weight: WeightSource = { kind: 'file', path: model.source, offset: 0, byteLength: 0, shape, dtype: numbers === 'f16' && shape.length > 1 ? 'float16' : 'float32' };
    weights.set(name, weight);
    names.set(weight, name);
  }
  const stripped: Model = { ...base, weights, parameters: new Map() };
  const make = (largest: number): PortableModel => {
    const sizes = standIns(largest);
    return portableModel(stepGraph(stripped, sizes, contextLength), { name: model.architecture.family, lowerings, free: freeSizes(sizes) });
  };
  const largest = Math.max(contextLength, ...figures(model.architecture), ...[...weights.values()].flatMap(({ shape }) => shape));
  const [portable, again] = [make(largest), make(2 * largest)];
  const foreign = portable.tensors.find(({ source }) => !(source instanceof Uint8Array) && !names.has(source));
  if (foreign) throw onnxUnsupported(model.source, `a plugin computes with numbers of its own (${foreign.name}); leave it out, and say --quantization for smaller numbers`);
  const { places } = layOut(portable.tensors, 'model', FILE_BYTES);
  if (Buffer.compare(portable.encode(places), again.encode(places)) !== 0) throw onnxAmbiguous(model.source);
  return { portable, names };
}

function figures(architecture: Architecture): number[] {
  return Object.values(architecture).filter((value): value is number => typeof value === 'number');
}

/** Rotary tables are part of the model, so they cannot depend on how long a text is. */
function checkPositions({ source, architecture: { rope, maxPositions } }: Model): void {
  if (rope?.scaling.type === 'dynamic') throw onnxUnsupported(source, 'its rope scaling "dynamic" turns positions by the length of the text, and the tables of an ONNX model are fixed');
  const original = rope?.scaling['original_max_position_embeddings'] as number | undefined;
  if (rope?.scaling.type === 'longrope' && maxPositions > original!) throw onnxUnsupported(source, `its rope scaling "longrope" has other factors for texts beyond ${original} tokens, and the tables of an ONNX model are fixed`);
}

function bytesOf({ dtype }: PortableTensor, numbers: Float32Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = dtype === 'float16' ? toFloat16(numbers) : numbers;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** config.json, generation_config.json and the tokenizer's files; transformers.js looks for the chat template in tokenizer_config.json. */
async function sidecars(model: Model, settings: Record<string, unknown>): Promise<Map<string, string | Uint8Array>> {
  const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
  const texts = new Map<string, string | Uint8Array>();
  const known = model.config['transformers.js_config'] as Record<string, unknown> | undefined;
  texts.set('config.json', json({ ...model.config, ['torch_dtype' in model.config ? 'torch_dtype' : 'dtype']: 'float32', 'transformers.js_config': { ...known, ...settings } }));
  if (model.generationConfig) texts.set('generation_config.json', json(model.generationConfig));
  const files = await model.tokenizer.files();
  for (const [name, content] of files) texts.set(name, content);
  const template = files.get('chat_template.jinja');
  const config = files.get('tokenizer_config.json');
  if (template && config) texts.set('tokenizer_config.json', json({ ...JSON.parse(new TextDecoder().decode(config)) as object, chat_template: new TextDecoder().decode(template) }));
  return texts;
}
