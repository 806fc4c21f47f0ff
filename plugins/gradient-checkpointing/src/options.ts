// The section `gradientCheckpointing`: which blocks are computed again, or how much memory there
// is. Not with the package bytes: it takes GB for 2 ** 30 and knows no GiB.
import { z } from 'zod';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};
const BYTES = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?\s*$/i;

/** `8GB`, `7.5 GiB`, `900000000`: bytes. */
export function bytesOf(budget: number | string): number {
  if (typeof budget === 'number') return budget;
  const [, number, unit] = BYTES.exec(budget)!;
  return Number(number) * UNITS[unit!.toLowerCase()]!;
}

export const gradientCheckpointingOptions = z.object({
  enabled: z
    .boolean()
    .optional()
    .describe(
      'Compute blocks again in the backward pass: less memory, slower (default: true with every or memoryBudget).',
    ),
  every: z
    .int()
    .min(1)
    .optional()
    .describe('Every n-th block is computed again; by default 1, all of them.'),
  memoryBudget: z
    .union([
      z.number().positive(),
      z.string().regex(BYTES, 'is no amount of memory such as "8GB" or "7.5GiB"'),
    ])
    .optional()
    .describe(
      'Compute as few blocks again as the planned run needs to stay within this memory, e.g. "8GB".',
    ),
});

/** Options after parsing. */
export type GradientCheckpointingOptions = z.output<typeof gradientCheckpointingOptions>;

export const unsupported = {
  useReentrant: { reason: 'it is about PyTorch', accepts: [false, true] },
} as const;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    gradientCheckpointing?: z.input<typeof gradientCheckpointingOptions> | boolean;
  }
}
