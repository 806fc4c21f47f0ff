// How many threads a session uses by default.
import { availableParallelism } from 'node:os';
import { readFileSync } from 'node:fs';

/** The physical cores that this process may use; where they are unknown, its parallelism. */
export function defaultThreads(): number {
  return Math.max(1, Math.min(availableParallelism(), physicalCores() ?? Infinity));
}

function physicalCores(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const cores = new Set<string>();
    for (const block of readFileSync('/proc/cpuinfo', 'utf8').split('\n\n')) {
      const field = (name: string): string | undefined =>
        new RegExp(`^${name}\\s*:\\s*(\\d+)`, 'm').exec(block)?.[1];
      const core = field('core id');
      if (core !== undefined) cores.add(`${field('physical id') ?? 0}/${core}`);
    }
    return cores.size || undefined;
  } catch {
    return undefined;
  }
}
