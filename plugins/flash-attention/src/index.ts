// Flash attention (Dao et al. 2022): memory grows with the length of a sequence, not with its
// square. Wraps the model's attention.
import { definePlugin, LOWERINGS } from '@lmflow/sdk';
import { wrap } from '@lmflow/sdk/model';
import { z } from 'zod';
import { onnxLowerings } from './onnx/rows.ts';
import { flashAttention } from './op.ts';
import manifest from '../package.json' with { type: 'json' };

export type { FlashAttributes } from './attributes.ts';
export {
  flashAttention,
  flashAttentionGradientOp,
  flashAttentionOp,
  type FlashOptions,
} from './op.ts';
export { tileSize, type AttentionShape } from './size.ts';

const name = '@lmflow/plugin-flash-attention';

/** The section `flashAttention`. */
export const flashAttentionOptions = z.object({
  enabled: z
    .boolean()
    .default(true)
    .describe('false: the plain attention, which keeps its probabilities.'),
  from: z
    .int()
    .min(1)
    .default(4096)
    .describe(
      'Sequences with fewer tokens (padding included) use the plain attention, which is as fast or faster.',
    ),
  tile: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Tokens of a tile, queries as well as keys; by default so many that the scores of one key head take about 2 MB.',
    ),
});

export type FlashAttentionOptions = z.output<typeof flashAttentionOptions>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    flashAttention?: z.input<typeof flashAttentionOptions> | boolean;
  }
}

const plugin = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'flashAttention', schema: flashAttentionOptions },
  apply(context) {
    for (const row of onnxLowerings) context.contribute(LOWERINGS, row);
    context.hooks.onModelLoad.tap('products', (model) => {
      const { enabled, from, tile } = context.options;
      if (!enabled) return;
      wrap(model, 'attention', name, (plain) => (trace, inputs) => {
        const { q, k, v, segments, window, cache } = inputs;
        return cache || q.shape[1]! < from
          ? plain(trace, inputs)
          : flashAttention({ q, k, v, segments, window, tile });
      });
    });
  },
});

export default plugin;
