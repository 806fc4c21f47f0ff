// Finds update programs that compute number by number, so that they can run over flat chunks, and
// results that may be written over their inputs. The chunks are in chunks.ts.
import type { Graph, Node, Value } from '@lmflow/sdk/graph';
import { reachableNodes } from '../loop/reachable-nodes.ts';

/**
 * Name of the output that replaces an input. Outputs that begin alike, up to a colon, are compared
 * together where a device is checked, and a parameter is much larger than its moments.
 */
export const nextOf = (input: string): string => `next ${input.replaceAll(':', ' ')}`;

const ELEMENTWISE = new Set([
  'neg',
  'exp',
  'log',
  'sqrt',
  'reciprocal',
  'tanh',
  'sigmoid',
  'silu',
  'sin',
  'cos',
  'erf',
  'abs',
  'sign',
  'add',
  'sub',
  'mul',
  'div',
  'maximum',
  'minimum',
  'equal',
  'less',
  'lessOrEqual',
  'greater',
  'greaterOrEqual',
  'logicalAnd',
  'logicalOr',
  'logicalNot',
  'where',
]);

/**
 * Whether every value is a scalar or has the one shape of the tensor inputs, and every op is
 * elementwise.
 */
export function isElementwise(graph: Graph): boolean {
  const shapes = new Set(
    [...graph.inputs.values()]
      .filter(({ shape }) => shape.length > 0)
      .map(({ shape }) => shape.join()),
  );
  if (shapes.size !== 1) return false;
  const [shape] = shapes;
  const fits = ({ source, shape: own }: Value): boolean =>
    own.length === 0 || (source.kind !== 'constant' && own.join() === shape);
  return reachableNodes(graph).every(
    ({ op, inputs, outputs }) => ELEMENTWISE.has(op.name) && [...inputs, ...outputs].every(fits),
  );
}

/**
 * The inputs of an elementwise program that their next value may be written over. The engine may
 * run nodes in any order that their operands allow, so the next value must depend on every node
 * that reads the input.
 */
export function inPlaceInputs(graph: Graph): Set<string> {
  const nodes = reachableNodes(graph);
  const named = [...graph.outputs].flatMap(([output, value]) => {
    const input = [...graph.inputs.keys()].find((name) => nextOf(name) === output);
    return input !== undefined && value.source.kind === 'node'
      ? [{ input, last: value.source.node }]
      : [];
  });
  return new Set(
    named
      .filter(({ input, last }) => {
        const needed = ancestorsOf(last);
        return nodes.every(
          (node) => !node.inputs.includes(graph.inputs.get(input)!) || needed.has(node),
        );
      })
      .map(({ input }) => input),
  );
}

/** The node and all nodes it depends on. */
function ancestorsOf(last: Node): Set<Node> {
  const found = new Set<Node>();
  const pending = [last];
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const { source } of node.inputs) if (source.kind === 'node') pending.push(source.node);
  }
  return found;
}
