// GPT-2: learned positions, LayerNorm, one linear for q, k and v, biases everywhere, weights stored
// [in, out] (Conv1D), tied head.
import { commonRefusals, onlyFullAttention } from './llama.ts';
import type { ModelFamily } from './family.ts';

export const gpt2: ModelFamily = {
  name: 'gpt2',
  classes: ['GPT2LMHeadModel', 'GPT2Model'],
  keys: {
    hiddenSize: 'n_embd',
    intermediateSize: 'n_inner',
    numLayers: 'n_layer',
    numHeads: 'n_head',
    maxPositions: 'n_positions',
    normEpsilon: 'layer_norm_epsilon',
    activation: 'activation_function',
  },
  defaults: {
    hiddenSize: 768,
    numLayers: 12,
    numHeads: 12,
    vocabularySize: 50_257,
    maxPositions: 1024,
    normEpsilon: 1e-5,
    activation: 'gelu_new',
    ropeTheta: 0,
    tiedEmbeddings: true,
    intermediateFactor: 4,
  },
  names: {
    prefix: 'transformer.',
    embedding: 'transformer.wte',
    positions: 'transformer.wpe',
    finalNorm: 'transformer.ln_f',
    head: 'lm_head',
    block: (layer) => `transformer.h.${layer}`,
    attentionNorm: 'ln_1',
    attention: ['attn.c_attn'],
    attentionOutput: 'attn.c_proj',
    mlpNorm: 'ln_2',
    up: 'mlp.c_fc',
    down: 'mlp.c_proj',
  },
  norm: 'layer',
  positions: 'learned',
  layout: 'in-out',
  biases: () => ({ attention: true, attentionOutput: true, mlp: true }),
  attentionScale: (config, layer, headDim) =>
    (config.flag('scale_attn_weights', true) ? headDim ** -0.5 : 1) /
    (config.flag('scale_attn_by_inverse_layer_idx', false) ? layer + 1 : 1),
  refusals: [...commonRefusals, onlyFullAttention],
  // Causal masks that old checkpoints saved as buffers.
  ignored: [/(^|\.)attn\.(bias|masked_bias)$/],
};
