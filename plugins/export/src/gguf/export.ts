// Writes a model as one GGUF file: metadata, tokenizer, and every tensor with llama.cpp's name and
// layout, in the type that --quantization chooses.
import { rm } from 'node:fs/promises';
import type { Logger } from '@lmflow/sdk';
import { outputRows, type Model } from '@lmflow/sdk/model';
import { checkRange, readMerged } from '../merged-weights.ts';
import { ggufFamilyOf, tensorName, type GgufFamily } from './families.ts';
import { text, uint32, writeGguf, type GgufTensor, type List, type Scalar } from './file.ts';
import { contextLength, hyperparameters, ropeFactors } from './hyperparameters.ts';
import { fileTypeOf, typeFor, type Quantization, type TensorRole } from './quantization.ts';
import { tokenizerKeys } from './tokenizer.ts';
import { TENSOR_TYPES } from './types.ts';
import { checkGguf, Samples } from './written.ts';

export interface GgufRequest {
  readonly path: string;
  readonly name: string;
  readonly quantization: Quantization;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Writes the file, with the adapter merged where the model has one, and reads it back; resolves to
 * its size in bytes. Throws LMFLOW_GGUF_* before anything is written, and LMFLOW_EXPORT_DIFFERS
 * where the file is not what the model holds: then it is removed.
 */
export async function exportGguf(
  model: Model,
  { path, name, quantization, log, signal }: GgufRequest,
): Promise<number> {
  const family = ggufFamilyOf(model);
  const metadata = new Map<string, Scalar | List>([
    ['general.architecture', text(family.architecture)],
    ['general.type', text('model')],
    ['general.name', text(name)],
    ['general.file_type', uint32(fileTypeOf(quantization))],
    ['general.quantization_version', uint32(2)],
    ...hyperparameters(model, family),
    ...(await tokenizerKeys(model, log)),
  ]);
  const samples = new Samples();
  const { tensors, fallbacks } = describe(model, family, quantization, samples, signal);
  if (fallbacks > 0) {
    log.warn(
      `${fallbacks} of ${tensors.length} tensors keep more bits than ${quantization}: ` +
        'its blocks do not divide their rows',
    );
  }
  const context = contextLength(model);
  if (context < model.architecture.maxPositions) {
    log.warn(
      `the file has a context of ${context} tokens, the sliding window of the model: ` +
        `llama.cpp has no sliding window for ${family.architecture}`,
    );
  }
  const size = await writeGguf(path, metadata, tensors);
  try {
    checkGguf(path, metadata, tensors, samples);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return size;
}

function describe(
  model: Model,
  family: GgufFamily,
  quantization: Quantization,
  samples: Samples,
  signal: AbortSignal,
): { readonly tensors: GgufTensor[]; readonly fallbacks: number } {
  const { numLayers, tiedEmbeddings } = model.architecture;
  const linears = new Map(model.linears.map((layer) => [layer.weight, layer]));
  let fallbacks = 0;
  const tensors = [...model.weights].map(([source, { shape: stored }]): GgufTensor => {
    const { name, module, layer } = tensorName(model, family, source);
    const linear = linears.get(source);
    const shape = linear?.layout === 'in-out' ? [...stored].reverse() : [...stored];
    const chosen = typeFor(
      quantization,
      roleOf(module, shape, tiedEmbeddings),
      shape.at(-1)!,
      layer,
      numLayers,
    );
    if (chosen.type !== chosen.wanted) fallbacks += 1;
    const type = TENSOR_TYPES[chosen.type];
    return {
      name,
      shape,
      type,
      async data() {
        signal.throwIfAborted();
        let numbers = await readMerged(model, source);
        if (linear) numbers = outputRows(numbers, linear);
        if (family.interleaved && (module === 'attn_q' || module === 'attn_k')) {
          numbers = interleave(numbers, model.architecture.headDim, shape[0]!);
        }
        if (chosen.type !== 'F32') checkRange(name, numbers);
        samples.take(name, type, numbers);
        return type.encode(numbers);
      },
    };
  });
  const factors = ropeFactors(model);
  if (factors) {
    tensors.push({
      name: 'rope_freqs.weight',
      shape: [factors.length],
      type: TENSOR_TYPES.F32,
      data: async () => TENSOR_TYPES.F32.encode(factors),
    });
  }
  return { tensors, fallbacks };
}

function roleOf(module: string, shape: readonly number[], tied: boolean): TensorRole {
  if (shape.length < 2) return 'vector';
  if (module === 'position_embd') return 'positions';
  if (module === 'output' || (module === 'token_embd' && tied)) return 'head';
  return ['attn_v', 'attn_qkv', 'ffn_down'].includes(module) ? 'values' : 'matrix';
}

/**
 * Reorders the rows of each head from halves (i, i + D/2) to pairs (2i, 2i + 1); a bias has rows of
 * one number.
 */
function interleave(numbers: Float32Array, headDim: number, rows: number): Float32Array {
  const width = numbers.length / rows;
  const result = new Float32Array(numbers.length);
  for (let row = 0; row < rows; row++) {
    const place = row % headDim;
    const from = row - place + Math.floor(place / 2) + (place % 2) * (headDim / 2);
    result.set(numbers.subarray(from * width, (from + 1) * width), row * width);
  }
  return result;
}
