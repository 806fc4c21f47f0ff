// Shape inference: what every op refuses, with messages that name the op, its rule and the types it
// was given; and the graph's own checks.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  add,
  applyOne,
  applyOp,
  attendOp,
  attention,
  broadcastShapes,
  broadcastTo,
  cast,
  concat,
  decodeAttention,
  defineOp,
  describe,
  equal,
  gather,
  gelu,
  grad,
  Graph,
  greater,
  layerNorm,
  less,
  linearCrossEntropy,
  linearLogProbs,
  linearLogProbsGradientOp,
  logicalAnd,
  logicalNot,
  matMul,
  max,
  mul,
  neg,
  pad,
  reshape,
  rmsNorm,
  rope,
  scatterAdd,
  sign,
  slice,
  softmax,
  sum,
  swiglu,
  takeLast,
  transpose,
  where,
  type DType,
  type Value,
} from '@lmflow/sdk/graph';

const graph = new Graph();
let count = 0;
const float = (...shape: number[]): Value => graph.input(`x${count++}`, 'float32', shape);
const int = (...shape: number[]): Value => graph.input(`x${count++}`, 'int32', shape);
const bool = (...shape: number[]): Value => graph.input(`x${count++}`, 'bool', shape);
const half = (...shape: number[]): Value => graph.input(`x${count++}`, 'float16', shape);
const head = (...shape: number[]): Value => float(...shape);

const refusals: readonly (readonly [op: string, build: () => unknown, types: string])[] = [
  ['add', () => add(float(2, 3), float(2, 4)), 'float32[2, 3], float32[2, 4]'],
  ['mul', () => mul(float(2), half(2)), 'float32[2], float16[2]'],
  ['equal', () => equal(int(2), float(2)), 'int32[2], float32[2]'],
  ['greater', () => greater(float(3), float(2)), 'float32[3], float32[2]'],
  ['neg', () => neg(int(2)), 'int32[2]'],
  ['sign', () => sign(bool(2)), 'bool[2]'],
  ['gelu', () => gelu(int(1), 'erf'), 'int32[1]'],
  ['swiglu', () => swiglu(float(2, 3), float(3)), 'float32[2, 3], float32[3]'],
  ['logicalNot', () => logicalNot(float(2)), 'float32[2]'],
  ['logicalAnd', () => logicalAnd(bool(2), bool(3)), 'bool[2], bool[3]'],
  ['where', () => where(float(2), float(2), float(2)), 'float32[2], float32[2], float32[2]'],
  ['where', () => where(bool(2), float(3), 0), 'bool[2], float32[3], float32[]'],
  ['matMul', () => matMul(float(2, 3), float(2, 3)), 'float32[2, 3], float32[2, 3]'],
  ['matMul', () => matMul(float(3), float(3, 2)), 'float32[3], float32[3, 2]'],
  ['matMul', () => matMul(int(2, 2), int(2, 2)), 'int32[2, 2], int32[2, 2]'],
  ['matMul', () => matMul(float(2, 3, 4), float(3, 4, 5)), 'float32[2, 3, 4], float32[3, 4, 5]'],
  ['softmax', () => softmax(float()), 'float32[]'],
  ['sum', () => sum(float(2), { axes: [1] }), 'float32[2]'],
  ['sum', () => sum(float(2, 2), { axes: [0, -2] }), 'float32[2, 2]'],
  ['max', () => max(int(2)), 'int32[2]'],
  ['reshape', () => reshape(float(2, 3), [4]), 'float32[2, 3]'],
  ['reshape', () => reshape(float(2, 3), [-1, -6]), 'float32[2, 3]'],
  ['transpose', () => transpose(float(2, 3), [0, 0]), 'float32[2, 3]'],
  ['slice', () => slice(float(2, 3), [0, 2], [2, 4]), 'float32[2, 3]'],
  ['slice', () => slice(float(2, 3), [0], [2]), 'float32[2, 3]'],
  ['pad', () => pad(float(2), [-1], [0]), 'float32[2]'],
  ['concat', () => concat([float(2, 3), float(3, 3)], 1), 'float32[2, 3], float32[3, 3]'],
  ['broadcastTo', () => broadcastTo(float(2, 3), [3]), 'float32[2, 3]'],
  ['gather', () => gather(float(2), float(1)), 'float32[2], float32[1]'],
  ['gather', () => gather(float(2), int(1), 1), 'float32[2], int32[1]'],
  ['scatterAdd', () => scatterAdd(int(3), float(2, 2), 4), 'int32[3], float32[2, 2]'],
  ['scatterAdd', () => scatterAdd(int(2), float(2), 1.5), 'int32[2], float32[2]'],
  ['takeLast', () => takeLast(float(2, 3), int(3)), 'float32[2, 3], int32[3]'],
  ['takeLast', () => takeLast(float(), int()), 'float32[], int32[]'],
  ['rmsNorm', () => rmsNorm(float(2, 3), float(2), 1e-5), 'float32[2, 3], float32[2]'],
  [
    'layerNorm',
    () => layerNorm(float(2, 3), float(3), float(3, 1), 1e-5),
    'float32[2, 3], float32[3], float32[3, 1]',
  ],
  [
    'rope',
    () => rope(float(1, 2, 1, 4), float(5, 4), float(5, 4), int(1, 2)),
    'float32[1, 2, 1, 4], float32[5, 4], float32[5, 4], int32[1, 2]',
  ],
  [
    'attend',
    () => applyOp(attendOp, [float(2, 3), float(2, 3), float(2, 3), float(3, 3)], { shared: 1 }),
    'float32[2, 3], float32[2, 3], float32[2, 3], float32[3, 3]',
  ],
  [
    'rope',
    () => rope(half(1, 2, 1, 2), float(5, 1), float(5, 1), int(1, 2)),
    'float16[1, 2, 1, 2], float32[5, 1], float32[5, 1], int32[1, 2]',
  ],
  [
    'attend',
    () => applyOp(attendOp, [float(3), float(3), float(3)], { shared: 1 }),
    'float32[3], float32[3], float32[3]',
  ],
  [
    'attention',
    () => attention({ q: head(1, 4, 3, 2), k: head(1, 4, 2, 2), v: head(1, 4, 2, 2) }),
    'float32[1, 4, 3, 2], float32[1, 4, 2, 2], float32[1, 4, 2, 2]',
  ],
  [
    'attention',
    () =>
      attention({
        q: head(1, 4, 2, 2),
        k: head(1, 4, 2, 2),
        v: head(1, 4, 2, 2),
        segments: int(4),
      }),
    'float32[1, 4, 2, 2], float32[1, 4, 2, 2], float32[1, 4, 2, 2], int32[4]',
  ],
  [
    'decodeAttention',
    () =>
      decodeAttention({
        q: head(1, 2, 2, 2),
        k: head(1, 2, 1, 2),
        v: head(1, 2, 1, 2),
        cache: { keys: head(1, 1, 4, 2), values: head(1, 1, 4, 2), lengths: int(1) },
      }),
    'float32[1, 2, 2, 2], float32[1, 2, 1, 2], float32[1, 2, 1, 2], float32[1, 1, 4, 2], float32[1, 1, 4, 2], int32[1]',
  ],
  [
    'linearCrossEntropy',
    () => linearCrossEntropy(float(3, 2), float(4, 3), int(3)),
    'float32[3, 2], float32[4, 3], int32[3]',
  ],
  [
    'linearCrossEntropy',
    () => linearCrossEntropy(float(3, 2), float(4, 2), int(4)),
    'float32[3, 2], float32[4, 2], int32[4]',
  ],
  [
    'linearLogProbs',
    () => linearLogProbs(float(3, 2), float(4, 3), int(3)).logProbs,
    'float32[3, 2], float32[4, 3], int32[3]',
  ],
  [
    'linearLogProbsGradient',
    () =>
      applyOne(linearLogProbsGradientOp, [float(3, 2), float(4, 2), int(3), float(2)], {
        chunk: 2,
        temperature: 1,
        softCap: 0,
      }),
    'float32[3, 2], float32[4, 2], int32[3], float32[2]',
  ],
];

for (const [op, build, types] of refusals) {
  test(`${op} refuses ${types}`, () => {
    assert.throws(
      build,
      (error: Error & { code?: string }) =>
        error.code === 'LMFLOW_GRAPH_INVALID' &&
        error.message.startsWith(`${op}: `) &&
        error.message.endsWith(`but the inputs are ${types}`),
    );
  });
}

const types: readonly (readonly [() => Value, string])[] = [
  [() => add(float(2, 1), float(3)), 'float32[2, 3]'],
  [() => less(int(2, 1), int(1, 4)), 'bool[2, 4]'],
  [() => less(int(2), 3), 'bool[2]'],
  [() => mul(half(2), 0.5), 'float16[2]'],
  [() => where(bool(2, 1), 0, half(3)), 'float16[2, 3]'],
  [() => where(bool(2), 0, 1), 'float32[2]'],
  [() => matMul(float(5, 2, 3), float(4, 3), { transposeB: true }), 'float32[5, 2, 4]'],
  [() => sum(float(2, 3, 4), { axes: [-1, 0] }), 'float32[3]'],
  [() => max(float(2, 3), { keepDims: true }), 'float32[1, 1]'],
  [() => transpose(float(2, 3, 4), [2, 0, 1]), 'float32[4, 2, 3]'],
  [() => gather(float(5, 2), int(3, 4)), 'float32[3, 4, 2]'],
  [() => gather(float(5, 2), int(), 1), 'float32[5]'],
  [() => cast(half(2), 'float32'), 'float32[2]'],
  [
    () => attention({ q: half(1, 3, 4, 2), k: half(1, 3, 2, 2), v: half(1, 3, 2, 2) }),
    'float16[1, 3, 4, 2]',
  ],
  [() => linearCrossEntropy(half(3, 2), half(4, 2), int(3)), 'float16[]'],
  [() => linearLogProbs(half(3, 2), half(4, 2), int(3)).entropies, 'float16[3]'],
];

for (const [build, type] of types) {
  test(`type ${type}`, () => {
    assert.is(describe(build()), type);
  });
}

test('half-precision composites decompose, and are differentiated, in half precision', () => {
  const inner = new Graph();
  const [x, w, b] = [
    inner.input('x', 'float16', [1, 3, 2, 2]),
    inner.input('w', 'float16', [2]),
    inner.input('b', 'float16', [2]),
  ];
  const rotated = rope(
    layerNorm(rmsNorm(gelu(gelu(x, 'erf'), 'tanh'), w, 1e-5), w, b, 1e-5),
    inner.input('c', 'float16', [3, 1]),
    inner.input('s', 'float16', [3, 1]),
    inner.input('p', 'int32', [1, 3]),
  );
  const attended = attention({
    q: rotated,
    k: rotated,
    v: swiglu(x, x),
    segments: inner.input('g', 'int32', [1, 3]),
    tile: 2,
  });
  const loss = linearCrossEntropy(
    reshape(attended, [6, 2]),
    inner.input('head', 'float16', [4, 2]),
    inner.input('l', 'int32', [6]),
  );
  for (const node of [...inner.nodes]) {
    if (node.op.decompose) {
      assert.equal(
        node.op.decompose(node.inputs, node.attributes).map(describe),
        node.outputs.map(describe),
        node.name,
      );
    }
  }
  assert.equal(grad(loss, [x, w]).map(describe), ['float16[1, 3, 2, 2]', 'float16[2]']);
});

test('operations that change nothing build no node', () => {
  const x = float(2, 3);
  const before = graph.nodes.length;
  for (const same of [
    reshape(x, [2, 3]),
    broadcastTo(x, [2, 3]),
    slice(x, [0, 0], [2, 3]),
    pad(x, [0, 0], [0, 0]),
    cast(x, 'float32'),
    concat([x], 0),
    mul(x, 1),
    mul(1, x),
  ]) {
    assert.is(same, x);
  }
  assert.is(graph.nodes.length, before);
});

test('two broadcast operands keep their shape', () => {
  const wide = (x: Value): Value => broadcastTo(x, [2, 3]);
  assert.is(describe(add(wide(float()), wide(float(3)))), 'float32[2, 3]');
  assert.is(describe(mul(wide(float(2, 1)), wide(float(3)))), 'float32[2, 3]');
  assert.is(describe(mul(wide(float()), 2)), 'float32[2, 3]');
});

test('broadcastShapes follows NumPy', () => {
  assert.equal(broadcastShapes([2, 1, 3], [4, 1]), [2, 4, 3]);
  assert.equal(broadcastShapes([], [2]), [2]);
  assert.equal(broadcastShapes([0], [1]), [0]);
  assert.is(broadcastShapes([2], [3]), undefined);
});

test('what a graph refuses', () => {
  const other = new Graph();
  const x = other.input('x', 'float32', [2]);
  const refused: readonly (readonly [() => unknown, RegExp])[] = [
    [
      () => other.input('x', 'float32', [3]),
      /input "x": it is float32\[2\], but float32\[3\] was asked for/,
    ],
    [
      () => other.input('y', 'float32', [1.5]),
      /input "y": the sizes of float32\[1\.5\] are not whole numbers/,
    ],
    [
      () => other.constant(Float32Array.of(1, 2), [3], 'float32'),
      /2 numbers do not fill float32\[3\]/,
    ],
    [() => other.output('a', float(1)), /"a" belongs to another graph/],
    [
      () => {
        other.output('b', x);
        other.output('b', x);
      },
      /"b" is named twice/,
    ],
    [() => add(x, float(2)), /add: its inputs belong to different graphs/],
    [() => concat([], 0), /concat: needs at least one input/],
    [() => add(1, 2), /one of two operands must be a value/],
    [() => less(other.input('i', 'int32', [2]), 0.5), /0\.5 is not a whole number/],
    [
      () => attention({ q: head(1, 2, 1, 2), k: head(1, 2, 1, 2), v: head(1, 2, 1, 2), window: 0 }),
      /attention: tile \(128\) and window \(0\) must be at least 1/,
    ],
  ];
  for (const [build, message] of refused) assert.throws(build, message);
  assert.is(other.input('x', 'float32', [2]), x);
});

test('a weight has one value a name, and regions name nodes', () => {
  const other = new Graph();
  const source = {
    kind: 'memory',
    dtype: 'float32' as DType,
    shape: [1],
    data: Float32Array.of(1),
  } as const;
  assert.is(other.weight('w', source), other.weight('w', source));
  assert.throws(
    () => other.weight('w', { ...source, shape: [2] }),
    /weight "w": it is float32\[1\], but float32\[2\] was asked for/,
  );
  const value = other.region('block', () =>
    other.region('mlp', () => neg(other.weight('w', source))),
  );
  assert.is(value.source.kind === 'node' && value.source.node.name, 'block/mlp/neg_0');
  assert.throws(
    () =>
      other.region('broken', () => {
        throw new Error('inside');
      }),
    /inside/,
  );
  assert.is(
    neg(value).source.kind === 'node' && other.nodes.at(-1)!.region,
    undefined,
    'a region ends also where building fails',
  );
});

test('an op whose results do not exist is refused', () => {
  const broken = defineOp({
    name: 'broken',
    infer: ([x]) => [{ dtype: x!.dtype, shape: [-1] }],
    evaluate: ([x]) => [x!],
  });
  assert.throws(
    () => applyOp(broken, [float(1)], {}),
    /broken: gives a result float32\[-1\], whose sizes are not whole numbers/,
  );
  assert.throws(
    () => defineOp({ name: 'kept', results: 1, infer: () => [], evaluate: () => [] }),
    /an op with `results` needs decompose/,
  );
});

test('a composite without infer has the types of its decomposition, and refuses as it does', () => {
  const scaled = defineOp<{ readonly by: number }>({
    name: 'scaledSum',
    decompose: ([x], { by }) => [mul(sum(x!, { axes: [0] }), by), cast(x!, 'float16')],
  });
  const nodes = graph.nodes.length;
  const outputs = applyOp(scaled, [float(4, 3)], { by: 2 });
  assert.equal(outputs.map(describe), ['float32[3]', 'float16[4, 3]']);
  assert.is(graph.nodes.length, nodes + 1, 'the decomposition is traced aside');
  assert.throws(() => applyOp(scaled, [bool(4, 3)], { by: 2 }), /sum: .*bool\[4, 3\]/);
  assert.throws(
    () => defineOp({ name: 'untyped', evaluate: ([x]) => [x!] }),
    /an op without decompose\(\) needs infer/,
  );
});

test.run();
