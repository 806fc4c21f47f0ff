// What all programs of an optimizer have: the names of their inputs, and the values for its rules.
// The rules are the optimizer's.
import type { UpdateValues } from '@lmflow/sdk';
import { mul, type Graph, type Shape, type Value } from '@lmflow/sdk/graph';

/** Graph input that holds a tensor of the state. */
export const stateInput = (name: string): string => `state:${name}`;

/** Graph inputs for tensors, by their input's name, and for scalars; the gradient is scaled. */
export function updateValues(
  graph: Graph,
  shapes: Readonly<Record<string, Shape>>,
  scalarNames: readonly string[],
): Omit<UpdateValues, 'decays'> {
  const tensors = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, graph.input(name, 'float32', shape)]),
  );
  const {
    parameter,
    gradient: summed,
    ...states
  } = tensors as Record<string, Value> & Pick<UpdateValues, 'parameter' | 'gradient'>;
  const state = Object.fromEntries(
    Object.entries(states).map(([name, value]) => [name.slice(stateInput('').length), value]),
  );
  const scalars = Object.fromEntries(
    scalarNames.map((name) => [name, graph.input(name, 'float32', [])]),
  );
  const scale = graph.input('gradientScale', 'float32', []);
  return {
    parameter,
    gradient: mul(summed, scale),
    summed,
    scale,
    state,
    scalars,
  };
}
