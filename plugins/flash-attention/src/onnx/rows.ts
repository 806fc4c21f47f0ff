// How ONNX Runtime computes both ops, as rows of LOWERINGS. On a GPU the loops' bodies would travel
// to the processor and back: there the ops are decomposed.
import { lowering, type LoweringRow } from '@lmflow/sdk';
import { flashAttentionGradientOp, flashAttentionOp } from '../op.ts';
import { lowerFlashAttentionGradient } from './backward.ts';
import { lowerFlashAttention } from './forward.ts';

export const onnxLowerings: readonly LoweringRow[] = [
  lowering('onnx', flashAttentionOp, lowerFlashAttention, ['cpu']),
  lowering('onnx', flashAttentionGradientOp, lowerFlashAttentionGradient, ['cpu']),
];
