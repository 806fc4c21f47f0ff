// Qwen2 and Qwen2.5: Llama with biases on q, k and v, and a sliding window in the upper layers
// where use_sliding_window says so.
import { commonRefusals, llama } from './llama.ts';
import type { ModelFamily } from './family.ts';
import type { ConfigReader } from '../architecture/config.ts';

/**
 * The windows of Qwen's configuration classes: layer_types, or the layers from max_window_layers
 * on; none without use_sliding_window.
 */
function qwenWindows(config: ConfigReader, layers: number): (number | undefined)[] {
  const window =
    config.flag('use_sliding_window', false) && config.values['sliding_window'] !== null
      ? config.count('sliding_window', 4096)
      : undefined;
  const first = config.get('max_window_layers') ?? 28;
  if (typeof first !== 'number') throw config.invalid('max_window_layers', 'a number');
  const types =
    config.get('layer_types') ??
    Array.from({ length: layers }, (_, layer) =>
      window !== undefined && layer >= first ? 'sliding_attention' : 'full_attention',
    );
  if (!Array.isArray(types) || types.length !== layers) {
    throw config.invalid('layer_types', `a list of ${layers} kinds of attention`);
  }
  return types.map((type) => {
    if (type === 'full_attention') return undefined;
    if (type !== 'sliding_attention') {
      throw config.invalid('layer_types', 'made of "full_attention" and "sliding_attention"');
    }
    if (window === undefined) {
      throw config.invalid(
        'use_sliding_window',
        'true, with a sliding_window, since layer_types has sliding_attention',
      );
    }
    return window;
  });
}

export const qwen2: ModelFamily = {
  ...llama,
  name: 'qwen2',
  classes: ['Qwen2ForCausalLM', 'Qwen2Model'],
  defaults: {
    ...llama.defaults,
    intermediateSize: 22_016,
    vocabularySize: 151_936,
    numKeyValueHeads: 32,
    maxPositions: 32_768,
  },
  biases: () => ({ attention: true, attentionOutput: false, mlp: false }),
  windows: qwenWindows,
  refusals: [
    ...commonRefusals,
    { key: 'attention_bias', harmless: [true], reason: 'a qwen2 always has biases on q, k and v' },
  ],
};
