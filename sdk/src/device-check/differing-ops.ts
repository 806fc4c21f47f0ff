// Which ops of a program a device computes wrongly: the cases that tests of engines run, on that
// device.
import { messageOf } from '../errors.ts';
import { Graph, type Node } from '../graph/index.ts';
import type { Engine } from '../engine.ts';
import { opChecks } from '../testing/cases/index.ts';
import { opDeviations } from '../testing/deviations.ts';

/** An op that differs from the float64 interpreter, and how. */
export interface DifferingOp {
  readonly name: string;
  readonly detail: string;
}

/** Beyond what 16-bit floats give. */
const TOO_FAR = 0.02;

/** The ops of a graph, their decompositions included, that differ; the simplest first. */
export async function differingOps(engine: Engine, graph: Graph): Promise<readonly DifferingOp[]> {
  const used = new Set<string>();
  for (const node of graph.nodes) addOps(used, node);
  const differing: DifferingOp[] = [];
  for (const check of opChecks.filter(({ op }) => used.has(op.name))) {
    const { name } = check.op;
    try {
      const [worst] = await opDeviations(engine, check);
      if (worst && worst.size > TOO_FAR) {
        differing.push({ name, detail: `${worst.what}: off by ${worst.size.toPrecision(2)}` });
      }
    } catch (error) {
      differing.push({ name, detail: messageOf(error) });
    }
  }
  return differing;
}

function addOps(used: Set<string>, { op, inputs, attributes }: Node): void {
  if (used.has(op.name)) return;
  used.add(op.name);
  if (!op.decompose) return;
  const inner = new Graph();
  op.decompose(
    inputs.map(({ dtype, shape }, index) => inner.input(String(index), dtype, shape)),
    attributes,
  );
  for (const node of inner.nodes) addOps(used, node);
}
