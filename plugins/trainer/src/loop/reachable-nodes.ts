// The nodes of a graph that its outputs depend on.
import type { Graph, Node } from '@lmflow/sdk/graph';

/** In the order they were built. */
export function reachableNodes(graph: Graph): Node[] {
  const needed = new Set<Node>();
  const pending = [...graph.outputs.values()];
  for (let value = pending.pop(); value; value = pending.pop()) {
    if (value.source.kind !== 'node' || needed.has(value.source.node)) continue;
    needed.add(value.source.node);
    pending.push(...value.source.node.inputs);
  }
  return graph.nodes.filter((node) => needed.has(node));
}
