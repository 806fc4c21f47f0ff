// Qwen3: no biases unless attention_bias says so, an RMS norm over each head of q and k, and
// head_dim of its own (128).
import { llama } from './llama.ts';
import { qwen2 } from './qwen2.ts';
import type { ModelFamily } from './family.ts';

export const qwen3: ModelFamily = {
  ...qwen2,
  name: 'qwen3',
  classes: ['Qwen3ForCausalLM', 'Qwen3Model'],
  defaults: { ...qwen2.defaults, headDim: 128 },
  names: { ...llama.names, headNorms: ['self_attn.q_norm', 'self_attn.k_norm'] },
  biases: (config) => {
    const attention = config.flag('attention_bias', false);
    return { attention, attentionOutput: attention, mlp: false };
  },
  refusals: qwen2.refusals.filter(({ key }) => key !== 'attention_bias'),
};
