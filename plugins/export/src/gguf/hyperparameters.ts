// The architecture as GGUF's keys, and the rope factors, which are a tensor in GGUF. Not the
// tokenizer's keys.
import { ropeFrequencies } from '@lmflow/plugin-models';
import type { Model } from '@lmflow/sdk/model';
import { float32, text, uint32, type List, type Scalar } from './file.ts';
import type { GgufFamily } from './families.ts';

/**
 * Longest context for which llama.cpp computes what the model does: it attends to all tokens
 * before, so at most the sliding window.
 */
export function contextLength({
  architecture: { maxPositions, window, layerWindows },
}: Model): number {
  const windows = [...(layerWindows ?? []), window].filter((size) => size !== undefined);
  return Math.min(maxPositions, ...windows);
}

/** Keys under the architecture's name. */
export function hyperparameters(model: Model, family: GgufFamily): Map<string, Scalar | List> {
  const { architecture } = model;
  const keys = new Map<string, Scalar | List>();
  const set = (key: string, value: Scalar): void => {
    keys.set(`${family.architecture}.${key}`, value);
  };
  set('block_count', uint32(architecture.numLayers));
  set('context_length', uint32(contextLength(model)));
  set('embedding_length', uint32(architecture.hiddenSize));
  set('feed_forward_length', uint32(architecture.intermediateSize));
  set('vocab_size', uint32(architecture.vocabularySize));
  set('attention.head_count', uint32(architecture.numHeads));
  set('attention.head_count_kv', uint32(architecture.numKeyValueHeads));
  set(
    family.norm === 'rms' ? 'attention.layer_norm_rms_epsilon' : 'attention.layer_norm_epsilon',
    float32(architecture.normEpsilon),
  );
  const { rope } = architecture;
  if (!rope) return keys;
  set('attention.key_length', uint32(architecture.headDim));
  set('attention.value_length', uint32(architecture.headDim));
  set('rope.dimension_count', uint32(rope.dimensions));
  set('rope.freq_base', float32(rope.theta));
  const {
    type,
    factor,
    original_max_position_embeddings: original,
  } = rope.scaling as { type: string; factor?: number; original_max_position_embeddings?: number };
  if (type !== 'linear' && type !== 'yarn') return keys;
  set('rope.scaling.type', text(type));
  set('rope.scaling.factor', float32(factor!));
  if (type === 'yarn') set('rope.scaling.original_context_length', uint32(original!));
  return keys;
}

/** The divisor of each frequency (rope_freqs.weight), for Llama 3's scaling. */
export function ropeFactors({
  architecture: { rope, maxPositions },
}: Model): Float32Array | undefined {
  if (rope?.scaling.type !== 'llama3') return undefined;
  const lengths = { length: maxPositions, maxPositions };
  const plain = ropeFrequencies({ ...rope, scaling: { type: 'default' } }, lengths).inverse;
  const scaled = ropeFrequencies(rope, lengths).inverse;
  return plain.map((frequency, pair) => frequency / scaled[pair]!);
}
