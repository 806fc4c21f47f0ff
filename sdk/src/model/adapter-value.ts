// The value of an adapter's parameter in a trace.
import type { Value } from '../graph/index.ts';
import type { Trace } from './model.ts';
import { parameterValue, type Parameter } from './parameter.ts';

/** Fed at every run while training; a constant of the program in inference. */
export function adapterValue({ graph, mode }: Trace, parameter: Parameter): Value {
  if (mode !== 'inference') return parameterValue(graph, parameter);
  const { name, shape, data } = parameter;
  return graph.weight(name, { kind: 'memory', dtype: 'float32', shape, data });
}
