// Flash attention (Dao et al. 2022): memory grows with the length of a sequence, not with its square. Wraps the model's attention.
import { createRequire } from 'node:module';
import { definePlugin } from '@lmflow/sdk';
import { z } from 'zod';
import { flashAttention } from './op.ts';

export { flashAttention, flashAttentionGradientOp, flashAttentionOp, type FlashAttributes, type FlashOptions } from './op.ts';
export { tileSize, type AttentionShape, type TileSize } from './size.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** The section `flashAttention`. */
export const flashAttentionOptions = z.object({
  enabled: z.boolean().default(true).describe('false: the plain attention, which keeps its probabilities.'),
  from: z.int().min(1).default(4096).describe('Sequences shorter than this many tokens (padding included) use the plain attention, which is as fast there, or faster.'),
  queries: z.int().min(1).optional().describe('Query tokens of a tile; by default so many that a product has about 512 rows.'),
  keys: z.int().min(1).optional().describe('Key tokens of a tile; by default so many that a tile has 32 x length x heads scores. About 16 bytes x batch x heads x queries x keys are in use beside the activations.'),
});

export type FlashAttentionOptions = z.output<typeof flashAttentionOptions>;

declare module '@lmflow/sdk' {
  interface ConfigSections { flashAttention?: z.input<typeof flashAttentionOptions> | boolean }
}

const plugin = definePlugin({
  name: '@lmflow/plugin-flash-attention',
  version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'flashAttention', schema: flashAttentionOptions },
  apply(context) {
    context.hooks.onModelLoad.tap('@lmflow/plugin-flash-attention', (model) => {
      const { enabled, from, queries, keys } = context.options;
      if (!enabled) return model;
      const plain = model.build.attention;
      const size = { ...(queries === undefined ? {} : { queries }), ...(keys === undefined ? {} : { keys }) };
      model.build.attention = (trace, inputs) => {
        const { q, k, v, segments, window, cache } = inputs;
        return cache || q.shape[1]! < from ? plain(trace, inputs) : flashAttention({ q, k, v, segments, window, size });
      };
      return model;
    });
  },
});

export default plugin;
