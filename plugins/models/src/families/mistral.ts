// Mistral: Llama with a sliding window in every layer (4096 where config.json does not say; null
// for none).
import { commonRefusals, llama } from './llama.ts';
import type { ModelFamily } from './family.ts';

export const mistral: ModelFamily = {
  ...llama,
  name: 'mistral',
  classes: ['MistralForCausalLM', 'MistralModel'],
  defaults: {
    ...llama.defaults,
    intermediateSize: 14_336,
    numKeyValueHeads: 8,
    maxPositions: 131_072,
  },
  biases: () => ({ attention: false, attentionOutput: false, mlp: false }),
  windows: (config, layers) => {
    const window =
      config.values['sliding_window'] === null ? undefined : config.count('sliding_window', 4096);
    return Array.from({ length: layers }, () => window);
  },
  refusals: [
    ...commonRefusals,
    {
      key: 'layer_types',
      harmless: [],
      reason: 'a mistral has one kind of attention in all layers',
    },
    { key: 'attention_bias', harmless: [false], reason: 'a mistral has no biases' },
    { key: 'mlp_bias', harmless: [false], reason: 'a mistral has no biases' },
  ],
};
