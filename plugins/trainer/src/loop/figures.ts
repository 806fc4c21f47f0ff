// Figures that have their own denominators, summed over micro-batches and steps. The loss, divided
// by the step's weight, is in gradient-sum.ts.
import type { Figures } from '@lmflow/sdk';

/** Sums by name: a figure is total / weight. */
export type FigureSums = Record<string, { total: number; weight: number }>;

/** Adds to sums that are kept elsewhere. */
export function figuresOf(sums: () => FigureSums): Figures {
  return {
    add(name, total, weight = 1) {
      const sum = (sums()[name] ??= { total: 0, weight: 0 });
      sum.total += total;
      sum.weight += weight;
    },
  };
}

/** The quotients; figures with a weight of 0 are left out. */
export function quotients(sums: FigureSums): Record<string, number> {
  return Object.fromEntries(
    Object.entries(sums)
      .filter(([, { weight }]) => weight !== 0)
      .map(([name, { total, weight }]) => [name, total / weight]),
  );
}
