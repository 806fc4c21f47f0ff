// The `scoring` section of the configuration.
import { z } from 'zod';

export const schema = z.object({
  batchTokens: z
    .int()
    .min(1)
    .default(2048)
    .describe('Tokens that are computed at once; a longer row is computed alone.'),
});

export type ScoringOptions = z.output<typeof schema>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    scoring?: z.input<typeof schema>;
  }
}
