// Large elementwise programs (the updates of optimizers) as one WebAssembly loop of four numbers at
// a time. ONNX Runtime has a kernel for each op and reads and writes every number in each: AdamW
// has 12. IEEE arithmetic on both sides, so the results are the same bit for bit, but for the sign
// of a zero that maximum, minimum or where chooses: the runtime's is not always that of the chosen
// one.
import { sizeOf, type Graph, type Node, type Shape, type Value } from '@lmflow/sdk/graph';
import {
  getLocal,
  instructions,
  load,
  moduleOf,
  number,
  PAGE,
  repeat,
  setLocal,
  splat,
  store,
  type Bytes,
} from './wasm-bytes.ts';

/**
 * Numbers of a tensor that are copied in at a time, a page of memory each: of 2^12, 2^14 and 2^16
 * the fastest.
 */
export const PIECE = PAGE / Float32Array.BYTES_PER_ELEMENT;

/** Numbers from which on a loop is worth it. */
const LARGE = 1 << 12;

/**
 * A WebAssembly module that computes an elementwise program of `size` float32 numbers in one pass.
 */
export interface Loop {
  /** A module of moduleOf: tensor k and output k have page k of its memory. */
  readonly module: Uint8Array;
  readonly pages: number;
  /** Names of the inputs of `size` numbers each, of the scalar inputs, and of the outputs. */
  readonly tensors: readonly string[];
  readonly scalars: readonly string[];
  readonly outputs: readonly string[];
  readonly size: number;
}

const { select, notEqual, greater, less, logicalAnd, sub, div, ...direct } = instructions;
const ONE = number(1);

/** From the operands' instructions those of the result. */
const compositions: Readonly<Record<string, (...operands: Bytes[]) => Bytes>> = {
  reciprocal: (x) => [...ONE, ...x, ...div],
  // (1 where x > 0) - (1 where x < 0), and NaN where x is.
  sign: (x) => [
    ...x,
    ...ONE,
    ...x,
    ...number(0),
    ...greater,
    ...logicalAnd,
    ...ONE,
    ...x,
    ...number(0),
    ...less,
    ...logicalAnd,
    ...sub,
    ...x,
    ...x,
    ...notEqual,
    ...select,
  ],
  where: (condition, yes, no) => [...yes, ...no, ...condition, ...select],
  ...Object.fromEntries(
    Object.entries({ ...direct, greater, less, logicalAnd, sub, div }).map(([op, code]) => [
      op,
      (...operands: Bytes[]) => [...operands.flat(), ...code],
    ]),
  ),
};

/** How many of an op's operands, the first, are masks; none where it is not named. */
const MASKS: Readonly<Record<string, number>> = {
  logicalNot: 1,
  logicalAnd: 2,
  logicalOr: 2,
  where: 1,
};

/** The loop of a program; undefined where it is another kind of program, or a small one. */
export function elementwiseLoop(graph: Graph): Loop | undefined {
  const shape = [...graph.outputs.values()][0]?.shape;
  if (!shape || sizeOf(shape) < LARGE || graph.weights.size > 0) return undefined;
  const values = [
    ...graph.inputs.values(),
    ...graph.nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]),
    ...graph.outputs.values(),
  ];
  if (!values.every((value) => fits(value, shape)) || !graph.nodes.every(isVectorOp)) {
    return undefined;
  }
  if (
    ![...graph.outputs.values()].every(
      ({ dtype, shape: own, source }) =>
        dtype === 'float32' && own.length > 0 && source.kind === 'node',
    )
  ) {
    return undefined;
  }
  return build(graph, sizeOf(shape));
}

/** Float32 numbers or masks made of them, of the one shape or scalars. */
function fits({ dtype, shape, source }: Value, whole: Shape): boolean {
  if (dtype !== 'float32' && !(dtype === 'bool' && source.kind === 'node')) return false;
  return shape.length === 0 || (source.kind !== 'constant' && shape.join() === whole.join());
}

function isVectorOp({ op, inputs }: Node): boolean {
  return (
    op.name in compositions &&
    inputs.every(
      ({ dtype }, index) => dtype === (index < (MASKS[op.name] ?? 0) ? 'bool' : 'float32'),
    )
  );
}

function build(graph: Graph, size: number): Loop {
  const namesOf = (scalar: boolean): string[] =>
    [...graph.inputs]
      .filter(([, { shape }]) => (shape.length === 0) === scalar)
      .map(([name]) => name);
  const [tensors, scalars] = [namesOf(false), namesOf(true)];
  const [end, position] = [0, 1 + scalars.length];
  const locals = new Map<Value, number>();
  const before: number[] = []; // once: what depends on scalars only
  const within: number[] = [];

  const place = (value: Value, code: Bytes): void => {
    if (locals.has(value)) return;
    const local = position + 1 + locals.size;
    locals.set(value, local);
    (value.shape.length === 0 ? before : within).push(...code, ...setLocal(local));
  };
  scalars.forEach((name, index) => {
    place(graph.inputs.get(name)!, [...getLocal(1 + index), ...splat]);
  });
  tensors.forEach((name, index) => {
    place(graph.inputs.get(name)!, [...getLocal(position), ...load(offsetOf(index))]);
  });
  for (const { op, inputs, outputs } of graph.nodes) {
    for (const value of inputs) {
      if (value.source.kind === 'constant') place(value, number(value.source.data[0] as number));
    }
    place(
      outputs[0]!,
      compositions[op.name]!(...inputs.map((value) => getLocal(locals.get(value)!))),
    );
  }
  // Everything is read before anything is written: an output's page may be an input's.
  const stores = [...graph.outputs.values()].flatMap((value, index) => [
    ...getLocal(position),
    ...getLocal(locals.get(value)!),
    ...store(offsetOf(index)),
  ]);
  const code = [...before, ...repeat(position, end, [...within, ...stores])];
  const module = moduleOf({ scalars: scalars.length, vectors: locals.size, code });
  return {
    module,
    pages: Math.max(tensors.length, graph.outputs.size),
    tensors,
    scalars,
    outputs: [...graph.outputs.keys()],
    size,
  };
}

const offsetOf = (page: number): number => page * PAGE;
