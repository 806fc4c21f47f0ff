// Metrics where less is better.
const LOWER = /perplexity|bits_per_byte|nll/;

/** Whether a smaller figure of the metric is the better one. */
export function isLowerBetter(metric: string): boolean {
  return LOWER.test(metric);
}
