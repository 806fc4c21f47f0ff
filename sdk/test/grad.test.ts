// grad(): what it computes, what it builds (regions, recomputation, no useless nodes), and what it
// refuses. Single ops are in ops.test.ts.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  add,
  applyOne,
  applyOp,
  attendOp,
  concat,
  concatOp,
  defineOp,
  exp,
  gather,
  grad,
  Graph,
  interpret,
  linearCrossEntropy,
  linearLogProbs,
  logSigmoid,
  matMul,
  max,
  mean,
  mul,
  neg,
  mulOp,
  padOp,
  reshape,
  rmsNorm,
  rmsNormOp,
  silu,
  slice,
  softmax,
  sub,
  sum,
  swiglu,
  tanh,
  type NdArray,
  type Node,
  type RegionOptions,
  type Value,
} from '@lmflow/sdk/graph';
import { checkGradient, randomInputs, type TestInputs } from '@lmflow/sdk/testing';

/** Nodes that the outputs are computed from. */
function live(graph: Graph): Node[] {
  const found = new Set<Node>();
  const visit = (value: Value): void => {
    if (value.source.kind !== 'node' || found.has(value.source.node)) return;
    found.add(value.source.node);
    value.source.node.inputs.forEach(visit);
  };
  graph.outputs.forEach(visit);
  return graph.nodes.filter((node) => found.has(node));
}

const ops = (graph: Graph): string[] => live(graph).map((node) => node.op.name);

function gradientsOf(
  build: (inputs: Record<string, Value>, graph: Graph) => Value,
  inputs: TestInputs,
): { graph: Graph; results: Record<string, NdArray> } {
  const graph = new Graph();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype = 'float32' }]) => [
      name,
      graph.input(name, dtype, shape),
    ]),
  );
  const loss = build(values, graph);
  const names = Object.keys(inputs).filter((name) => values[name]!.dtype === 'float32');
  grad(
    loss,
    names.map((name) => values[name]!),
  ).forEach((gradient, index) => graph.output(names[index]!, gradient));
  return { graph, results: interpret(graph, randomInputs(inputs)) };
}

const inputs = { x: { shape: [3, 4] }, w: { shape: [4, 4] }, scale: { shape: [4] } } as const;

/** Two blocks of a residual network, each in a region. */
function blocks(
  options: RegionOptions,
  inner: RegionOptions = {},
): (values: Record<string, Value>, graph: Graph) => Value {
  return ({ x, w, scale }, graph) => {
    const block = (hidden: Value, name: string): Value =>
      graph.region(
        name,
        () => {
          const normed = rmsNorm(hidden, scale!, 1e-5);
          const product = graph.region('mlp', () => silu(matMul(normed, w!)), inner);
          return add(hidden, tanh(product));
        },
        options,
      );
    const loss = sum(mul(block(block(x!, 'block.0'), 'block.1'), 0.5));
    graph.output('loss', loss);
    return loss;
  };
}

test('a value used several times, an operand given twice, diamonds', () => {
  checkGradient(
    ({ x }) => {
      const y = exp(x!);
      return add(mul(y, y), sub(mul(x!, y), y));
    },
    { x: { shape: [3] } },
  );
  checkGradient(({ x }) => matMul(x!, x!, { transposeB: true }), { x: { shape: [2, 3] } });
  checkGradient(({ x }) => swiglu(x!, x!), { x: { shape: [2, 2] } });
});

test('a composite without a gradient of its own that is given one value twice counts it once a use', () => {
  const product = defineOp({
    name: 'product',
    infer: ([a]) => [{ dtype: a!.dtype, shape: a!.shape }],
    decompose: ([a, b]) => [mul(a!, b!)],
  });
  checkGradient(({ x }) => applyOne(product, [x!, x!], {}), { x: { shape: [3] } });
  const second = defineOp({
    name: 'second',
    infer: ([, b]) => [{ dtype: b!.dtype, shape: b!.shape }],
    decompose: ([, b]) => [b!],
  });
  checkGradient(({ x, y }) => applyOne(second, [x!, y!], {}), {
    x: { shape: [3] },
    y: { shape: [2] },
  });
});

test('ops with several results, of which only some are used', () => {
  const both = defineOp({
    name: 'sumAndProduct',
    infer: ([a]) => [a!, a!].map(({ dtype, shape }) => ({ dtype, shape })),
    decompose: ([a, b]) => [add(a!, b!), mul(a!, b!)],
  });
  const shapes = { a: { shape: [2] }, b: { shape: [2] } };
  for (const used of [[0], [1], [0, 1]]) {
    checkGradient(({ a, b }) => used.map((index) => applyOp(both, [a!, b!], {})[index]!), shapes);
  }
});

test('a parameter that is no input: a value in the middle, a weight', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  const middle = exp(x);
  const weight = graph.weight('w', {
    kind: 'memory',
    dtype: 'float32',
    shape: [2],
    data: Float32Array.of(3, 4),
  });
  const [byMiddle, byWeight] = grad(sum(mul(mul(middle, middle), weight)), [middle, weight]);
  graph.output('middle', byMiddle!);
  graph.output('weight', byWeight!);
  const results = interpret(graph, { x: { shape: [2], data: Float64Array.of(0, 0) } });
  assert.equal([...results.middle!.data], [6, 8]);
  assert.equal([...results.weight!.data], [1, 1]);
});

test('a parameter that the loss does not depend on gets zeros; the loss itself gets one', () => {
  const graph = new Graph();
  const [x, y] = [graph.input('x', 'float32', [2]), graph.input('y', 'float32', [2, 2])];
  const loss = sum(x);
  const [ofY, ofLoss] = grad(loss, [y, loss]);
  graph.output('y', ofY!);
  graph.output('loss', ofLoss!);
  const results = interpret(graph, randomInputs({ x: { shape: [2] }, y: { shape: [2, 2] } }));
  assert.equal([...results.y!.data], [0, 0, 0, 0]);
  assert.equal(results.y!.shape, [2, 2]);
  assert.equal([...results.loss!.data], [1]);
});

test('integers stop gradients; nothing is built below the first parameter', () => {
  const graph = new Graph();
  const table = graph.input('table', 'float32', [4, 2]);
  const frozen = graph.input('frozen', 'float32', [2, 2]);
  const low = graph.input('low', 'float32', [2, 2]);
  const hidden = matMul(matMul(gather(table, graph.input('ids', 'int32', [3])), frozen), low);
  graph.output('low', grad(sum(mul(hidden, hidden)), [low])[0]!);
  assert.is(
    ops(graph).filter((op) => op === 'matMul').length,
    3,
    'two forward, one for the gradient of low',
  );
  assert.not.ok(ops(graph).includes('scatterAdd'));
});

test('gradients of gradients, also through by-products', () => {
  const squaredNorm = (loss: Value, values: Value[]): Value =>
    grad(loss, values)
      .map((gradient) => sum(mul(gradient, gradient)))
      .reduce((a, b) => add(a, b));
  checkGradient(({ x }) => squaredNorm(sum(mul(exp(x!), tanh(x!))), [x!]), { x: { shape: [3] } });
  checkGradient(({ x, w }) => squaredNorm(sum(exp(rmsNorm(x!, w!, 0.1))), [x!, w!]), {
    x: { shape: [2, 3] },
    w: { shape: [3] },
  });
  checkGradient(
    ({ q, k, v }) =>
      squaredNorm(sum(exp(applyOp(attendOp, [q!, k!, v!], { shared: 1 })[0]!)), [q!, k!]),
    { q: { shape: [2, 3] }, k: { shape: [3, 3] }, v: { shape: [3, 2] } },
  );
  const labels = { shape: [3], dtype: 'int32', values: [1, -100, 0] } as const;
  checkGradient(({ h, w, l }) => squaredNorm(linearCrossEntropy(h!, w!, l!), [h!, w!]), {
    h: { shape: [3, 2] },
    w: { shape: [4, 2] },
    l: labels,
  });
});

test('log-probabilities of rows take any weights, and a gradient of the gradient', () => {
  const labels = { shape: [3], dtype: 'int32', values: [1, -100, 0] } as const;
  // the loss of a pair: what arrives at a row depends on all rows
  checkGradient(
    ({ h, w, l }) => {
      const { logProbs, entropies } = linearLogProbs(h!, w!, l!, { temperature: 0.8, softCap: 3 });
      return add(neg(logSigmoid(mul(sum(logProbs), 0.5))), mul(sum(entropies), 0.1));
    },
    { h: { shape: [3, 2] }, w: { shape: [4, 2] }, l: labels },
  );
  checkGradient(
    ({ h, w, l }) => {
      const { logProbs } = linearLogProbs(h!, w!, l!);
      const [byHidden] = grad(sum(mul(logProbs, logProbs)), [h!]);
      return sum(mul(byHidden!, byHidden!));
    },
    { h: { shape: [3, 2] }, w: { shape: [4, 2] }, l: labels },
  );
});

test('a recomputed region gives the same gradients, bit for bit, and is computed twice', () => {
  const plain = gradientsOf(blocks({}), inputs);
  const recomputed = gradientsOf(blocks({ recompute: true }), inputs);
  assert.equal(recomputed.results, plain.results);
  const count = (graph: Graph, op: string): number =>
    ops(graph).filter((name) => name === op).length;
  assert.is(count(plain.graph, 'rmsNorm'), 2);
  assert.is(count(recomputed.graph, 'rmsNorm'), 4);
  assert.is(count(recomputed.graph, 'silu'), count(plain.graph, 'silu') + 2);
});

test('the second computation depends on the gradient that arrives, so that it cannot be merged with the first', () => {
  const graph = new Graph();
  const values = {
    x: graph.input('x', 'float32', [3, 4]),
    w: graph.input('w', 'float32', [4, 4]),
    scale: graph.input('scale', 'float32', [4]),
  };
  grad(blocks({ recompute: true })(values, graph), [values.w, values.scale]);
  const norms = graph.nodes.filter((node) => node.op.name === 'rmsNorm');
  const isSecond = (node: Node): boolean =>
    node.inputs[0]!.source.kind === 'node' &&
    node.inputs[0]!.source.node.inputs.some(
      (input) =>
        input.source.kind === 'node' && input.source.node.op === mulOp && input.shape.length === 0,
    );
  const second = norms.filter(isSecond);
  assert.equal(
    second.map((node) => node.region!.name),
    ['block.1', 'block.0'],
    'also where data comes in as an input of the graph',
  );
  const copied = graph.nodes.flatMap((node) =>
    node.op.name === 'add' && node.inputs[1]!.shape.length === 0 ? [node.inputs[0]!] : [],
  );
  assert.not.ok(
    copied.includes(values.w) || copied.includes(values.scale),
    'parameters are not copied',
  );
});

test('regions inside a recomputed region are recomputed with it, once; those outside are not', () => {
  const plain = gradientsOf(blocks({}), inputs);
  const both = gradientsOf(blocks({ recompute: true }, { recompute: true }), inputs);
  const inner = gradientsOf(blocks({}, { recompute: true }), inputs);
  assert.equal(both.results, plain.results);
  assert.equal(inner.results, plain.results);
  const products = (graph: Graph): number =>
    live(graph).filter(
      ({ op, inputs: [, b] }) => op.name === 'matMul' && b?.source.kind === 'input',
    ).length;
  assert.is(products(both.graph), products(plain.graph) + 2);
  assert.is(live(inner.graph).filter(({ op }) => op.name === 'rmsNorm').length, 2);
});

test('backward and recomputed nodes are in the region of their forward nodes, and names are unique', () => {
  const { graph } = gradientsOf(blocks({ recompute: true }), inputs);
  const regions = new Set(graph.nodes.map((node) => node.region?.name));
  assert.equal(regions, new Set([undefined, 'block.0', 'block.1', 'mlp']));
  assert.is(new Set(graph.nodes.map((node) => node.name)).size, graph.nodes.length);
  const twins = graph.nodes.filter((node) => node.op.name === 'silu');
  assert.equal(
    new Set(twins.map((node) => node.name.replace(/\d+$/, ''))),
    new Set(['block.0/mlp/silu_', 'block.1/mlp/silu_']),
  );
});

test('nodes of a recomputed region that the loss does not need are not built again', () => {
  const { graph } = gradientsOf(
    ({ x, w }, built) =>
      built.region(
        'block',
        () => {
          built.output('metric', max(softmax(x!)));
          return sum(exp(matMul(exp(x!), w!)));
        },
        { recompute: true },
      ),
    inputs,
  );
  assert.is(graph.nodes.filter((node) => node.op.name === 'softmax').length, 1);
});

test('two losses in one graph: the second gradient does not build the first one again', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2, 2]);
  const y = graph.region('block', () => exp(matMul(exp(x), x)), { recompute: true });
  const [first] = grad(sum(y), [x]);
  const before = graph.nodes.length;
  const [second] = grad(mul(sum(mul(y, y)), 0.5), [x]);
  graph.output('first', first!);
  graph.output('second', second!);
  assert.ok(
    graph.nodes.length - before < 1.5 * before,
    `${graph.nodes.length - before} nodes were added to ${before}`,
  );
  interpret(graph, randomInputs({ x: { shape: [2, 2] } }));
});

test('no useless nodes: neither ones times gradients, nor pads and sums of slices', () => {
  const { graph: products } = gradientsOf(({ x, y }) => sum(mul(x!, y!)), {
    x: { shape: [3] },
    y: { shape: [3] },
  });
  assert.equal(ops(products), []);
  const { graph: means } = gradientsOf(({ x }) => mean(exp(x!)), { x: { shape: [3] } });
  assert.equal(ops(means), ['exp', 'mul'], 'the exponential and 1/3 of it');
  const labels = { shape: [2], dtype: 'int32' } as const;
  const { graph: losses } = gradientsOf(({ h, w, l }) => linearCrossEntropy(h!, w!, l!), {
    h: { shape: [2, 2] },
    w: { shape: [4, 2] },
    l: labels,
  });
  assert.equal(ops(losses), ['linearCrossEntropy']);

  const split = ({ x }: Record<string, Value>): Value =>
    concat(
      [exp(slice(x!, [0, 0], [2, 2])), tanh(slice(x!, [0, 2], [2, 3])), slice(x!, [0, 3], [2, 5])],
      1,
    );
  const { graph: pieces } = gradientsOf((values) => sum(mul(split(values), split(values))), {
    x: { shape: [2, 5] },
  });
  assert.is(live(pieces).filter(({ op }) => op === padOp).length, 0);
  checkGradient(split, { x: { shape: [2, 5] } });
});

test('gradients of pieces that overlap, leave gaps, repeat, or lie along different axes', () => {
  const piece = (x: Value, from: number, to: number): Value =>
    mul(slice(x, [from, 0], [to, 3]), from + to);
  checkGradient(({ x }) => [piece(x!, 0, 2), piece(x!, 1, 3), piece(x!, 0, 2), exp(x!)], {
    x: { shape: [6, 3] },
  });
  checkGradient(({ x }) => [piece(x!, 1, 2), piece(x!, 2, 4)], { x: { shape: [6, 3] } });
  checkGradient(
    ({ x }) => [
      piece(x!, 0, 1),
      piece(x!, 4, 6),
      slice(x!, [0, 1], [6, 2]),
      slice(x!, [1, 1], [2, 3]),
    ],
    { x: { shape: [6, 3] } },
  );
  const { graph } = gradientsOf(
    ({ x }) => add(sum(exp(piece(x!, 1, 2))), sum(exp(piece(x!, 2, 4)))),
    { x: { shape: [6, 3] } },
  );
  assert.equal(
    ops(graph).filter((op) => op === padOp.name || op === concatOp.name),
    ['concat', 'pad'],
  );
});

const noGradient = defineOp({
  name: '@third/party/opaque',
  infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  evaluate: ([x]) => [x!],
});

test('an op without a gradient is an error only on the way from the loss to a parameter', () => {
  const graph = new Graph();
  const [x, y] = [graph.input('x', 'float32', [2]), graph.input('y', 'float32', [2])];
  const loss = sum(mul(applyOne(noGradient, [x], {}), y));
  grad(loss, [y]);
  assert.throws(
    () => grad(loss, [x]),
    (error: Error & { code?: string }) =>
      error.code === 'LMFLOW_GRADIENT_MISSING' &&
      /opaque_0: the op "@third\/party\/opaque" has no gradient/.test(error.message),
  );
});

test('what grad refuses', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  assert.throws(() => grad(x, [x]), /the loss must be a scalar, not \[2\]/);
  assert.throws(
    () => grad(sum(x), [new Graph().input('x', 'float32', [2])]),
    /belongs to another graph/,
  );
  assert.throws(() => grad(sum(x), [graph.input('i', 'int32', [2])]), /int32\[2\] has no gradient/);
  assert.throws(
    () => defineOp({ name: 'nothing', infer: () => [] }),
    /needs evaluate\(\) or decompose\(\)/,
  );
  grad(reshape(sum(x), [1, 1]), [x]);
  assert.is(rmsNormOp.results, 1);
});

test.run();
