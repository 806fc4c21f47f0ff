// Llama (1 to 3.x and the many models in its shape), from which mistral, qwen2 and qwen3 differ in
// a few lines.
import type { ModelFamily, Refusal } from './family.ts';

/**
 * Settings that this family's class in transformers does not have, but that a variant's config.json
 * might: wrong results if they passed unseen.
 */
export const commonRefusals: readonly Refusal[] = [
  { key: 'is_encoder_decoder', harmless: [false], reason: 'only decoders are supported' },
  { key: 'add_cross_attention', harmless: [false], reason: 'only decoders are supported' },
  { key: 'is_causal', harmless: [true], reason: 'attention is causal here' },
  { key: 'use_bidirectional_attention', harmless: [false], reason: 'attention is causal here' },
  ...[
    'attn_logit_softcapping',
    'final_logit_softcapping',
    'num_local_experts',
    'num_experts',
    'no_rope_layers',
    'no_rope_layer_interval',
  ].map((key) => ({
    key,
    harmless: [],
    reason: 'this family does not have it, and ignoring it would give other results',
  })),
  ...[
    'embedding_multiplier',
    'residual_multiplier',
    'attention_multiplier',
    'logits_scaling',
    'logit_scale',
  ].map((key) => ({
    key,
    harmless: [1],
    reason: 'this family does not have it, and ignoring it would give other results',
  })),
];

export const onlyFullAttention: Refusal = {
  key: 'sliding_window',
  harmless: [],
  reason: 'this family has no sliding window',
};

export const llama: ModelFamily = {
  name: 'llama',
  classes: ['LlamaForCausalLM', 'LlamaModel'],
  keys: {
    hiddenSize: 'hidden_size',
    intermediateSize: 'intermediate_size',
    numLayers: 'num_hidden_layers',
    numHeads: 'num_attention_heads',
    maxPositions: 'max_position_embeddings',
    normEpsilon: 'rms_norm_eps',
    activation: 'hidden_act',
  },
  defaults: {
    hiddenSize: 4096,
    intermediateSize: 11_008,
    numLayers: 32,
    numHeads: 32,
    vocabularySize: 32_000,
    maxPositions: 2048,
    normEpsilon: 1e-6,
    activation: 'silu',
    ropeTheta: 10_000,
    tiedEmbeddings: false,
  },
  names: {
    prefix: 'model.',
    embedding: 'model.embed_tokens',
    finalNorm: 'model.norm',
    head: 'lm_head',
    block: (layer) => `model.layers.${layer}`,
    attentionNorm: 'input_layernorm',
    attention: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
    attentionOutput: 'self_attn.o_proj',
    mlpNorm: 'post_attention_layernorm',
    gate: 'mlp.gate_proj',
    up: 'mlp.up_proj',
    down: 'mlp.down_proj',
  },
  norm: 'rms',
  positions: 'rotary',
  layout: 'out-in',
  biases: (config) => {
    const attention = config.flag('attention_bias', false);
    return { attention, attentionOutput: attention, mlp: config.flag('mlp_bias', false) };
  },
  refusals: [...commonRefusals, onlyFullAttention],
  ignored: [/\.rotary_emb\.inv_freq$/],
};
