// How ONNX Runtime computes the ops: told to the engine by the plugin, or by whoever uses the ops
// without it.
import { registerLowering } from '@lmflow/plugin-engine-onnx';
import type { PluginContext } from '@lmflow/sdk';
import { flashAttentionGradientOp, flashAttentionOp } from '../op.ts';
import { lowerFlashAttentionGradient } from './backward.ts';
import { lowerFlashAttention } from './forward.ts';

/** Gives the engine the lowerings of both ops; without them it runs their decompositions. */
export function registerFlashAttention(context: Pick<PluginContext, 'resolve'>): void {
  registerLowering(context, flashAttentionOp, lowerFlashAttention);
  registerLowering(context, flashAttentionGradientOp, lowerFlashAttentionGradient);
}
