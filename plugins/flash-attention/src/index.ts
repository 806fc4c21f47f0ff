// Flash attention (Dao et al. 2022): memory grows with the length of a sequence, not with its square. Wraps the model's attention.
import { createRequire } from 'node:module';
import { definePlugin } from '@lmflow/sdk';
import { z } from 'zod';
import { flashAttention } from './op.ts';

export { flashAttention, flashAttentionGradientOp, flashAttentionOp, type FlashAttributes, type FlashOptions } from './op.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** The section `flashAttention`. */
export const flashAttentionOptions = z.object({
  enabled: z.boolean().default(true).describe('false: the plain attention, which keeps its probabilities.'),
  tile: z.int().min(1).default(128).describe('Query rows (in the backward pass: keys) at once. Memory beside the activations is about 12 bytes x heads x tile x length x batch.'),
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
      const { enabled, tile } = context.options;
      if (!enabled) return model;
      model.build.attention = (_trace, { q, k, v, segments, window }) => flashAttention({ q, k, v, segments, window, tile });
      return model;
    });
  },
});

export default plugin;
