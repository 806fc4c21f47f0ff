// Cleans up the nodes that lowerings emit independently: merges Reshapes of Reshapes, and removes
// nodes that nobody reads.
import type { NodeProto } from './schema.ts';

/** The nodes that `outputs` need, in order. */
export function cleanNodes(nodes: readonly NodeProto[], outputs: readonly string[]): NodeProto[] {
  return withoutDead(withoutDoubleReshapes(nodes), outputs);
}

function withoutDoubleReshapes(nodes: readonly NodeProto[]): NodeProto[] {
  const sources = new Map<string, string>();
  return nodes.map((node) => {
    if (node.opType !== 'Reshape') return node;
    const [x, shape] = node.input as [string, string];
    const source = sources.get(x) ?? x;
    sources.set(node.output[0]!, source);
    return { ...node, input: [source, shape] };
  });
}

function withoutDead(nodes: readonly NodeProto[], outputs: readonly string[]): NodeProto[] {
  const needed = new Set(outputs);
  const kept: NodeProto[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.output.some((output) => needed.has(output))) continue;
    readBy(node).forEach((input) => needed.add(input));
    kept.push(node);
  }
  return kept.reverse();
}

/** The tensors that a node reads, its bodies included (with what is their own). */
function readBy({ input, attribute }: NodeProto): string[] {
  return [...input, ...attribute.flatMap(({ g }) => g?.node.flatMap(readBy) ?? [])];
}
