// Which type each tensor gets under a --quantization, with llama.cpp's mixes: more bits for tensors
// whose rounding costs most. The encoders are in types.ts.
import type { TensorTypeName } from './types.ts';
import { TENSOR_TYPES } from './types.ts';

export const QUANTIZATIONS = ['f32', 'f16', 'q8_0', 'q4_0', 'q4_k_m'] as const;
export type Quantization = (typeof QUANTIZATIONS)[number];

interface Mix {
  /** general.file_type */
  readonly fileType: number;
  readonly matrices: TensorTypeName;
  /** The output head, also where it is the embedding. */
  readonly head: TensorTypeName;
  /** Values and down projections of some blocks; absent: like other matrices. */
  readonly sensitive?: TensorTypeName;
}

const MIXES: Readonly<Record<Quantization, Mix>> = {
  f32: { fileType: 0, matrices: 'F32', head: 'F32' },
  f16: { fileType: 1, matrices: 'F16', head: 'F16' },
  q8_0: { fileType: 7, matrices: 'Q8_0', head: 'Q8_0' },
  q4_0: { fileType: 2, matrices: 'Q4_0', head: 'Q6_K' },
  q4_k_m: { fileType: 15, matrices: 'Q4_K', head: 'Q6_K', sensitive: 'Q6_K' },
};

export const fileTypeOf = (quantization: Quantization): number => MIXES[quantization].fileType;

/** What a tensor does in the model. */
export type TensorRole = 'vector' | 'positions' | 'matrix' | 'head' | 'values';

/** The type of one tensor; `wanted` is the type of the mix, whose blocks may not divide its rows. */
export function typeFor(
  quantization: Quantization,
  role: TensorRole,
  rowLength: number,
  layer: number | undefined,
  layers: number,
): { readonly type: TensorTypeName; readonly wanted: TensorTypeName } {
  const mix = MIXES[quantization];
  if (role === 'vector' || role === 'positions') return { type: 'F32', wanted: 'F32' };
  const keeps = role === 'values' && keepsMore(layer!, layers);
  const matrices = (keeps ? mix.sensitive : undefined) ?? mix.matrices;
  const wanted = role === 'head' ? mix.head : matrices;
  const fitting = [wanted, 'Q8_0' as const].find(
    (name) => rowLength % TENSOR_TYPES[name].block === 0,
  );
  return { wanted, type: fitting ?? 'F16' };
}

/** The first and the last eighth of the blocks, and every third between them. */
function keepsMore(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}
