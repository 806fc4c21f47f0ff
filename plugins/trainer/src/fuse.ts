// Turns an elementwise tensor program into one JavaScript loop over flat arrays, written in place: one pass
// over memory, no copies of the results; scalars are computed once, in float64.
import type { Graph, Value } from '@lmflow/sdk/graph';
import { reachableNodes } from './reachable.ts';

/** Name of the output that replaces an input. */
export const nextOf = (input: string): string => `next:${input}`;

/** Runs over all elements. `arrays` holds the tensor inputs by name; the output `nextOf(name)` is written into that input's array. */
export type FusedLoop = (arrays: Readonly<Record<string, Float32Array>>, scalars: Readonly<Record<string, number>>) => void;

type Write = (...operands: string[]) => string;

const EXPRESSIONS: Readonly<Record<string, Write>> = {
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  maximum: (a, b) => `Math.max(${a}, ${b})`,
  minimum: (a, b) => `Math.min(${a}, ${b})`,
  neg: (a) => `-${a}`,
  abs: (a) => `Math.abs(${a})`,
  sign: (a) => `Math.sign(${a})`,
  sqrt: (a) => `Math.sqrt(${a})`,
  exp: (a) => `Math.exp(${a})`,
  log: (a) => `Math.log(${a})`,
  tanh: (a) => `Math.tanh(${a})`,
  reciprocal: (a) => `1 / ${a}`,
};

const loops = new Map<string, FusedLoop>();

/** The loop of a program whose values are scalars or share one shape and whose ops are elementwise; undefined for any other program. */
export function fuse(graph: Graph): FusedLoop | undefined {
  const names = new Map<Value, string>();
  const hoisted: string[] = [];
  const loads: string[] = [];
  const body: string[] = [];
  const isScalar = (value: Value): boolean => value.shape.length === 0;
  const tensors = [...graph.inputs].filter(([, value]) => !isScalar(value));
  if (tensors.length === 0) return undefined;
  const shape = tensors[0]![1].shape.join();
  const uniform = (value: Value): boolean => value.dtype === 'float32' && (isScalar(value) || value.shape.join() === shape);

  for (const [index, [name, value]] of [...graph.inputs].entries()) {
    if (!uniform(value)) return undefined;
    names.set(value, `x${index}`);
    if (isScalar(value)) hoisted.push(`const x${index} = scalars[${JSON.stringify(name)}];`);
    else loads.push(`const x${index} = a${tensors.findIndex(([tensor]) => tensor === name)}[i];`);
  }
  for (const node of reachableNodes(graph)) {
    const expression = EXPRESSIONS[node.op.name];
    const operands = node.inputs.map((input) => names.get(input) ?? constantOf(input));
    const [result] = node.outputs;
    if (!expression || !result || !uniform(result) || operands.includes(undefined)) return undefined;
    const name = `v${result.id}`;
    names.set(result, name);
    (isScalar(result) ? hoisted : body).push(`const ${name} = ${expression(...(operands as string[]))};`);
  }
  const stores: string[] = [];
  for (const [name, value] of graph.outputs) {
    const target = tensors.findIndex(([tensor]) => nextOf(tensor) === name);
    const source = names.get(value);
    if (target < 0 || source === undefined) return undefined;
    stores.push(`a${target}[i] = ${source};`);
  }
  return compile([
    ...tensors.map(([name], index) => `const a${index} = arrays[${JSON.stringify(name)}];`), ...hoisted,
    'const length = a0.length;', 'for (let i = 0; i < length; i++) {', ...loads, ...body, ...stores, '}',
  ].join('\n'));
}

// Equal programs share one function, so that V8 optimises it once.
function compile(source: string): FusedLoop | undefined {
  const known = loops.get(source);
  if (known) return known;
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the source is made above, from our own table
    const loop = new Function('arrays', 'scalars', source) as FusedLoop;
    loops.set(source, loop);
    return loop;
  } catch {
    return undefined; // code generation is switched off in this process: the engine runs the program
  }
}

function constantOf({ source, shape }: Value): string | undefined {
  if (source.kind !== 'constant' || shape.length > 0) return undefined;
  const text = String(source.data[0]);
  return text.startsWith('-') ? `(${text})` : text;
}
