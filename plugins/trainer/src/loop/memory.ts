// Estimates the memory of a program's values, and reads how much is free. The estimate takes nodes
// in the order of the program; engines fuse some values away and need workspace besides.
import { freemem, totalmem } from 'node:os';
import { BYTES, sizeOf, type Graph, type Value } from '@lmflow/sdk/graph';
import { reachableNodes } from './reachable-nodes.ts';

/** Ops whose result shares their operand's memory. */
const VIEWS = new Set(['reshape', 'broadcastTo']);

/**
 * Peak bytes of computed values that are alive at once (neither inputs, weights, constants nor the
 * program's results, which are written into arrays of the caller).
 */
export function activationBytes(graph: Graph): number {
  const lastUse = new Map<Value, number>();
  const needed = reachableNodes(graph);
  needed.forEach((node, index) => {
    for (const input of node.inputs) lastUse.set(owner(input), index);
  });
  for (const value of graph.outputs.values()) lastUse.delete(owner(value));
  const ending = new Map<number, number>();
  let [alive, peak] = [0, 0];
  needed.forEach((node, index) => {
    if (!VIEWS.has(node.op.name)) {
      for (const output of node.outputs) {
        const until = lastUse.get(output);
        if (until === undefined) continue;
        alive += bytesOf(output);
        ending.set(until, (ending.get(until) ?? 0) + bytesOf(output));
      }
    }
    peak = Math.max(peak, alive);
    alive -= ending.get(index) ?? 0;
  });
  return peak;
}

function bytesOf({ dtype, shape }: Value): number {
  return BYTES[dtype] * sizeOf(shape);
}

function owner(value: Value): Value {
  let current = value;
  while (current.source.kind === 'node' && VIEWS.has(current.source.node.op.name)) {
    current = current.source.node.inputs[0]!;
  }
  return current;
}

/** Bytes that this process can use: free ones (in its cgroup) and those it holds already. */
export function availableBytes(): number {
  const { availableMemory } = process as { readonly availableMemory?: () => number };
  const free = availableMemory ? availableMemory() : freemem();
  return Math.min(totalmem(), free + process.memoryUsage().rss);
}

/** `1.2 GB`, `340 MB`: decimal units. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(bytes >= 100 * size ? 0 : 1)} ${unit}`;
  }
  return `${Math.round(bytes)} B`;
}
