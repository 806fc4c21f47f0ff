// The float64 interpreter: numbers, weights, and errors. What single ops compute is in ops.test.ts
// and references.test.ts.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  abs,
  add,
  applyOne,
  cast,
  concat,
  defineOp,
  div,
  exp,
  gather,
  Graph,
  interpret,
  max,
  maximum,
  mean,
  minimum,
  mul,
  ndarray,
  pad,
  relu,
  scatterAdd,
  sign,
  slice,
  softmax,
  sub,
  sum,
  takeLast,
  transpose,
  where,
  greater,
  grad,
  type Shape,
  type Value,
} from '@lmflow/sdk/graph';

function run(
  build: (graph: Graph) => Value,
  inputs: Record<string, readonly [Shape, readonly number[]]> = {},
): number[] {
  const graph = new Graph();
  graph.output('y', build(graph));
  return [
    ...interpret(
      graph,
      Object.fromEntries(
        Object.entries(inputs).map(([name, [shape, data]]) => [name, ndarray(shape, data)]),
      ),
    ).y!.data,
  ];
}

const matrix = (graph: Graph): Value =>
  graph.constant(Float32Array.of(1, -2, 3, -4, 5, -6), [2, 3], 'float32');
const ints = (graph: Graph, ...numbers: number[]): Value =>
  graph.constant(Int32Array.from(numbers), [numbers.length], 'int32');

const results: readonly (readonly [string, (graph: Graph) => Value, readonly number[]])[] = [
  [
    'add with broadcasting',
    (g) => add(matrix(g), g.constant(Float32Array.of(10, 20, 30), [3], 'float32')),
    [11, 18, 33, 6, 25, 24],
  ],
  ['sub from a number', (g) => sub(1, matrix(g)), [0, 3, -2, 5, -4, 7]],
  ['div', (g) => div(matrix(g), 2), [0.5, -1, 1.5, -2, 2.5, -3]],
  ['maximum and minimum', (g) => minimum(maximum(matrix(g), -2), 3), [1, -2, 3, -2, 3, -2]],
  ['relu', (g) => relu(matrix(g)), [1, 0, 3, 0, 5, 0]],
  ['abs and sign', (g) => mul(abs(matrix(g)), sign(matrix(g))), [1, -2, 3, -4, 5, -6]],
  ['where', (g) => where(greater(matrix(g), 0), 1, -1), [1, -1, 1, -1, 1, -1]],
  ['sum over an axis', (g) => sum(matrix(g), { axes: [0] }), [-3, 3, -3]],
  ['max over an axis', (g) => max(matrix(g), { axes: [-1] }), [3, 5]],
  ['mean', (g) => mean(matrix(g), { axes: [0] }), [-1.5, 1.5, -1.5]],
  ['transpose', (g) => transpose(matrix(g), [1, 0]), [1, -4, -2, 5, 3, -6]],
  ['slice', (g) => slice(matrix(g), [0, 1], [2, 3]), [-2, 3, 5, -6]],
  ['pad', (g) => pad(slice(matrix(g), [0, 0], [1, 2]), [0, 1], [1, 0]), [0, 1, -2, 0, 0, 0]],
  [
    'concat',
    (g) => concat([slice(matrix(g), [0, 0], [2, 1]), slice(matrix(g), [0, 2], [2, 3])], 1),
    [1, 3, -4, -6],
  ],
  ['gather rows', (g) => gather(matrix(g), ints(g, 1, 1, 0)), [-4, 5, -6, -4, 5, -6, 1, -2, 3]],
  ['gather columns', (g) => gather(matrix(g), ints(g, 2, 0), 1), [3, 1, -6, -4]],
  [
    'scatterAdd to one row twice',
    (g) => scatterAdd(ints(g, 2, 2), matrix(g), 3),
    [0, 0, 0, 0, 0, 0, -3, 3, -3],
  ],
  ['takeLast', (g) => takeLast(matrix(g), ints(g, 2, 1)), [3, 5]],
  ['cast to int', (g) => cast(div(matrix(g), 4), 'int32'), [0, -0, 0, -1, 1, -1]],
  ['cast to bool', (g) => cast(ints(g, 0, 3, -1), 'bool'), [0, 1, 1]],
  [
    'softmax of large numbers',
    (g) => softmax(g.constant(Float32Array.of(1e4, 1e4), [2], 'float32')),
    [0.5, 0.5],
  ],
  [
    'the gradient of a tie is shared',
    (g) => {
      const x = g.constant(Float32Array.of(2, 1, 2), [3], 'float32');
      return grad(max(x), [x])[0]!;
    },
    [0.5, 0, 0.5],
  ],
  [
    'the gradient of equal operands goes to the first',
    (g) => {
      const [x, y] = [matrix(g), matrix(g)];
      const [a, b] = grad(sum(maximum(x, y)), [x, y]);
      return sub(a!, b!);
    },
    [1, 1, 1, 1, 1, 1],
  ],
];

for (const [name, build, expected] of results) {
  test(name, () => {
    assert.equal(
      run(build).map((number) => number + 0),
      expected.map((number) => number + 0),
    );
  });
}

test('it computes in float64', () => {
  assert.equal(
    run((graph) => add(graph.input('x', 'float32', []), graph.input('y', 'float32', [])), {
      x: [[], [1]],
      y: [[], [1e-12]],
    }),
    [1 + 1e-12],
  );
});

test('an output may be an input, and only what the outputs need is computed', () => {
  const opaque = defineOp({
    name: 'fails',
    infer: ([x]) => [x!],
    evaluate: () => {
      throw new Error('evaluated');
    },
  });
  assert.equal(
    run(
      (graph) => {
        const x = graph.input('x', 'float32', [2]);
        applyOne(opaque, [x], {});
        return x;
      },
      { x: [[2], [1, 2]] },
    ),
    [1, 2],
  );
});

test('long chains do not overflow the stack', () => {
  assert.equal(
    run(
      (graph) => {
        let y = graph.input('x', 'float32', []);
        for (let step = 0; step < 20_000; step++) y = add(y, 1);
        return y;
      },
      { x: [[], [0]] },
    ),
    [20_000],
  );
});

test('weights: in memory, or read by the caller', () => {
  const graph = new Graph();
  const memory = graph.weight('memory', {
    kind: 'memory',
    dtype: 'float32',
    shape: [2],
    data: Float32Array.of(1, 2),
  });
  graph.output(
    'y',
    mul(
      memory,
      graph.weight('file', {
        kind: 'file',
        dtype: 'float32',
        shape: [2],
        path: 'model.safetensors',
        offset: 0,
        byteLength: 8,
      }),
    ),
  );
  assert.throws(
    () => interpret(graph, {}),
    /the weight "file" \(float32\[2\]\) needs options\.readWeight/,
  );
  const read = interpret(
    graph,
    {},
    { readWeight: (weight) => ndarray(weight.shape, weight.kind === 'file' ? [5, 6] : [1, 2]) },
  );
  assert.equal([...read.y!.data], [5, 12]);
});

test('64-bit integers are numbers', () => {
  assert.equal(
    run((graph) => cast(graph.constant(BigInt64Array.of(3n, -4n), [2], 'int64'), 'float32')),
    [3, -4],
  );
});

const errors: readonly (readonly [string, () => unknown, RegExp])[] = [
  [
    'a missing input',
    () => run((graph) => exp(graph.input('x', 'float32', [2]))),
    /interpret: the input "x" \(float32\[2\]\) is missing/,
  ],
  [
    'an input of another shape',
    () =>
      run((graph) => exp(graph.input('x', 'float32', [2])), {
        x: [
          [1, 2],
          [1, 2],
        ],
      }),
    /the input "x" is \[1, 2\], not float32\[2\]/,
  ],
  [
    'an input with too few numbers',
    () => run((graph) => exp(graph.input('x', 'float32', [2])), { x: [[2], [1]] }),
    /the input "x" has 1 numbers, not the 2 of float32\[2\]/,
  ],
  [
    'an index that does not exist',
    () => run((graph) => gather(matrix(graph), ints(graph, 2))),
    /gather: index 2 is outside 0\.\.1/,
  ],
  [
    'a negative index',
    () => run((graph) => takeLast(matrix(graph), ints(graph, 0, -1))),
    /takeLast: index -1 is outside 0\.\.2/,
  ],
  [
    'a row that does not exist',
    () => run((graph) => scatterAdd(ints(graph, 0, 4), matrix(graph), 4)),
    /scatterAdd: index 4 is outside 0\.\.3/,
  ],
];

for (const [name, build, message] of errors) {
  test(`error: ${name}`, () => {
    assert.throws(build, message);
  });
}

test.run();
