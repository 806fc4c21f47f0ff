// What a verdict on a program holds for: the programs that differ from it in sizes only.
import { createHash } from 'node:crypto';
import { describe, type Graph } from '../graph/index.ts';

/**
 * A key of a program's family: with a name, the name, the ops with their dtypes and the weights;
 * without, everything but names and numbers, so that another size is another family.
 */
export function familyOf(graph: Graph, name?: string): string {
  const weights = unique([...graph.weights.values()].map(describe));
  if (name !== undefined) {
    const ops = graph.nodes.map(({ op, inputs }) =>
      [op.name, ...inputs.map(({ dtype }) => dtype)].join(' '),
    );
    return hashOf([name, weights, unique(ops)]);
  }
  const nodes = graph.nodes.map(({ op, attributes, inputs, outputs }) => [
    op.name,
    attributes,
    inputs.map(({ id }) => id),
    outputs.map(describe),
  ]);
  return hashOf([weights, [...graph.inputs.values()].map(describe), nodes]);
}

/** A short name for a value that can be written as JSON. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}

const unique = (texts: readonly string[]): string[] => [...new Set(texts)].sort();
