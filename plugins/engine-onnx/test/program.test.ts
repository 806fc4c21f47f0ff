// Running programs: results in place, errors with our names, several engines, weights in memory,
// other plugins' ops, profiles.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isLMFlowError, lowering } from '@lmflow/sdk';
import {
  add,
  applyOne,
  cast,
  concat,
  decodeAttention,
  defineOp,
  erf,
  gather,
  Graph,
  grad,
  linearCrossEntropy,
  matMul,
  mul,
  ndarray,
  relu,
  reshape,
  sigmoid,
  slice,
  sum,
  type Value,
} from '@lmflow/sdk/graph';
import { checkLowering } from '@lmflow/sdk/testing';
import { OnnxEngine } from '../src/engine.ts';
import type { Lowering } from '../src/index.ts';
import { createLowerings } from '../src/lowerings/index.ts';
import { schema } from '../src/options.ts';
import { flatten } from '../src/flat-graph.ts';
import { compileModel, countUses } from '../src/compiled-model.ts';
import { planFusions } from '../src/fusions.ts';
import { below, Case, check, engine, engineWith, normal, upload } from './support.ts';

const programs = suite('programs');

async function rejection(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; cause?: unknown }> {
  try {
    await promise;
  } catch (error) {
    if (isLMFlowError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

programs('outputs are written in place, also into the tensor of an input', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [4]);
  graph.output('sum', add(x, mul(x, 2)));
  graph.output('square', mul(x, x));
  const program = await engine.compile(graph);
  const data = Float32Array.of(1, 2, 3, 4);
  const squares = new Float32Array(4);
  const tensor = await engine.upload(data, [4], 'float32');
  const target = await engine.upload(squares, [4], 'float32');
  const results = await program.run({ x: tensor }, { square: target });
  assert.is(results['square'], target);
  assert.equal([...squares], [1, 4, 9, 16]);
  assert.equal([...((await results['sum']!.read()) as Float32Array)], [3, 6, 9, 12]);

  const update = new Graph();
  update.output('value', mul(update.input('value', 'float32', [4]), 10));
  const updating = await engine.compile(update);
  await updating.run({ value: tensor }, { value: tensor });
  assert.equal([...data], [10, 20, 30, 40]);
  assert.is(await tensor.read(), data);
});

programs(
  'large outputs are written in place and not copied; those not given are made',
  async () => {
    const graph = new Graph();
    const size = 1 << 20;
    const x = graph.input('x', 'float32', [size]);
    const indices = graph.input('indices', 'int32', [1]);
    graph.output('double', mul(x, 2));
    graph.output('third', mul(x, 3));
    graph.output('picked', gather(x, indices));
    const program = await engine.compile(graph);
    const inputs = {
      x: await engine.upload(new Float32Array(size).fill(1), [size], 'float32'),
      indices: await engine.upload(Int32Array.of(5), [1], 'int32'),
    };
    const data = new Float32Array(size);
    const double = await engine.upload(data, [size], 'float32');
    const first = await program.run(inputs, { double });
    const second = await program.run(inputs, { double });
    assert.is(first['double'], double);
    assert.is(data[size - 1], 2);
    const third = await first['third']!.read();
    assert.is(third[size - 1], 3);
    assert.is.not(await second['third']!.read(), third);
    assert.equal([...((await second['picked']!.read()) as Float32Array)], [1]);
    const failing = program.run({
      ...inputs,
      indices: await engine.upload(Int32Array.of(size + 1), [1], 'int32'),
    });
    assert.is((await rejection(failing)).code, 'LMFLOW_ENGINE_RUN_FAILED');
  },
);

programs('changing the array of an input changes the next run', async () => {
  const graph = new Graph();
  graph.output('y', mul(graph.input('x', 'float32', [2]), 2));
  const program = await engine.compile(graph);
  const data = Float32Array.of(1, 2);
  const x = await engine.upload(data, [2], 'float32');
  await program.run({ x });
  data[1] = 5;
  assert.equal([...((await (await program.run({ x }))['y']!.read()) as Float32Array)], [2, 10]);
});

programs('an output may be an input, a constant, or another output', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  const y = mul(x, 3);
  graph.output('x again', x);
  graph.output('constant', graph.constant(Int32Array.of(7), [1], 'int32'));
  graph.output('y', y);
  graph.output('y again', y);
  graph.output('y + 0', add(y, 0));
  const results = await (
    await engine.compile(graph)
  ).run({ x: await engine.upload(Float32Array.of(1, 2), [2], 'float32') });
  const numbers = async (name: string): Promise<number[]> =>
    Array.from(await results[name]!.read(), Number);
  assert.equal(await numbers('x again'), [1, 2]);
  assert.equal(await numbers('constant'), [7]);
  for (const name of ['y', 'y again', 'y + 0']) assert.equal(await numbers(name), [3, 6]);
});

programs('a failure at run time names our node and op and keeps the cause', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [3, 2]);
  const indices = graph.input('indices', 'int32', [2]);
  graph.output(
    'y',
    graph.region('layer.4', () => mul(gather(x, indices), 2)),
  );
  const program = await engine.compile(graph, { name: 'lookup' });
  const error = await rejection(
    program.run({
      x: await engine.upload(new Float32Array(6), [3, 2], 'float32'),
      indices: await engine.upload(Int32Array.of(0, 9), [2], 'int32'),
    }),
  );
  assert.is(error.code, 'LMFLOW_ENGINE_RUN_FAILED');
  assert.match(error.message, 'the program "lookup" failed at layer.4/gather_0 (gather)');
  assert.instance(error.cause, Error);
});

programs('what the runtime refuses to compile is an error that names our node', async () => {
  const graph = new Graph();
  graph.output(
    'y',
    graph.region('odd', () => erf(graph.input('x', 'bfloat16', [3]))),
  );
  const error = await rejection(engine.compile(graph, { name: 'bytes' }));
  assert.is(error.code, 'LMFLOW_ENGINE_COMPILE_FAILED');
  assert.match(error.message, /"bytes".*odd\/erf_0/);
});

programs('inputs are checked', async () => {
  const graph = new Graph();
  graph.output('y', mul(graph.input('x', 'float32', [2]), 2));
  const program = await engine.compile(graph, { name: 'double' });
  const missing = await rejection(program.run({}));
  assert.is(missing.code, 'LMFLOW_ENGINE_TENSOR_INVALID');
  assert.match(
    missing.message,
    'the input "x" of the program "double" must be float32[2], found nothing',
  );
  assert.match(
    (await rejection(program.run({ x: await engine.upload(Int32Array.of(1, 2), [2], 'int32') })))
      .message,
    'must be float32[2], found int32[2]',
  );
  assert.match(
    (await rejection(engine.upload(new Float32Array(3), [2], 'float32'))).message,
    'needs a Float32Array of 2 elements, found a Float32Array of 3',
  );
  assert.match(
    (await rejection(engine.upload(new Int32Array(2), [2], 'float32'))).message,
    'found a Int32Array',
  );
  await program.dispose();
  await program.dispose();
  assert.is((await rejection(program.run({}))).code, 'LMFLOW_ENGINE_DISPOSED');
});

programs('a uint8 keep mask, as dropout uses it', async () => {
  const test = new Case(5);
  const x = test.input([4, 6]);
  const mask = test.input([4, 6], 'uint8', below(2));
  test.finish([mul(x, mul(cast(mask, 'float32'), 1 / 0.9))], [x]);
  await check(test);
});

programs('weights in memory, small and large', async () => {
  for (const rows of [2, 400]) {
    const test = new Case(6);
    const data = Float32Array.from({ length: rows * 64 }, () => normal(test.next));
    const weight = test.graph.weight('w', {
      kind: 'memory',
      dtype: 'float32',
      shape: [rows, 64],
      data,
    });
    const x = test.input([3, 64]);
    test.finish([matMul(x, weight, { transposeB: true })], [x]);
    await check(test);
  }
});

programs('two engines at once', async () => {
  const other = engineWith({ threads: 1, memoryPattern: true, prepack: true });
  const cases = [1, 2, 3, 4].map((seed) => {
    const test = new Case(seed);
    const [x, w] = [test.input([5, 7]), test.input([7, 3])];
    test.finish([sigmoid(matMul(x, w))], [x, w]);
    return test;
  });
  await Promise.all(cases.map((test, index) => check(test, { on: index % 2 ? other : engine })));
  await other.dispose();
});

programs('an op of another plugin: decomposed, or by its own lowering', async () => {
  const double = defineOp({
    name: '@scope/plugin-x/double',
    infer: ([x]) => [x!],
    decompose: ([x]) => [add(x!, x!)],
  });
  const test = new Case(8);
  const x = test.input([3]);
  test.finish([applyOne(double, [x], {})], [x]);
  await check(test);

  let used = 0;
  const lower: Lowering = (emit, node) => {
    used++;
    emit.result(node, 'Mul', [emit.tensor(node.inputs[0]!), emit.scalar(2)]);
  };
  const elsewhere = createLowerings([
    lowering('other', double, lower),
    lowering('onnx', double, lower, ['webgpu']),
  ]);
  assert.not(elsewhere.find(test.graph.nodes[0]!), 'rows of other engines and devices');
  const lowerings = createLowerings([lowering('onnx', double, lower, ['cpu', 'cuda'])], 'cpu');
  const own = engineWith({}, lowerings);
  await check(test, { on: own });
  assert.is(used, 1);
  await own.dispose();

  const alien = defineOp({
    name: 'alien',
    infer: ([value]) => [value!],
    evaluate: ([value]) => [value!],
  });
  const graph = new Graph();
  graph.output('y', applyOne(alien, [graph.input('x', 'float32', [1])], {}));
  assert.is((await rejection(engine.compile(graph))).code, 'LMFLOW_OP_UNSUPPORTED');
});

programs('products take up scales, sums and nothing that others still need', async () => {
  const build = (test: Case): Value[] => {
    const [x, a, b, w] = [
      test.input([4, 5]),
      test.input([2, 5]),
      test.input([3, 2]),
      test.input([3, 5]),
    ];
    const low = matMul(x, a, { transposeB: true });
    const product = matMul(x, w, { transposeB: true });
    const adapted = add(product, matMul(mul(low, 2), b, { transposeB: true }));
    const shared = mul(low, 3);
    return [
      add(adapted, test.input([3])),
      mul(matMul(shared, b, { transposeB: true }), 0.5),
      shared,
      add(product, product),
      mul(matMul(test.input([2, 4, 5]), test.input([2, 5, 3])), 0.25),
    ];
  };
  const test = new Case(9);
  test.finish(build(test), [...test.graph.inputs.values()].slice(0, 4));
  await check(test);

  const small = new Case(10);
  small.finish([build(small)[0]!]);
  const lowerings = createLowerings();
  const flat = flatten(small.graph, lowerings);
  const uses = new Map<Value, number>();
  for (const value of [
    ...flat.nodes.flatMap((node) => node.inputs),
    ...flat.graph.outputs.values(),
  ]) {
    uses.set(value, (uses.get(value) ?? 0) + 1);
  }
  const { absorbed } = planFusions(flat.nodes, flat.graph, uses);
  assert.is(flat.nodes.length - absorbed.size, 4, 'x A^T, x W^T, the adapted sum, the bias');
});

programs('a sum of squares is one kernel, unless the squares are read too', async () => {
  for (const [keepDims, kernels] of [
    [false, 1],
    [true, 2],
  ] as const) {
    const test = new Case(12);
    const x = test.input([3, 4, 5]);
    const squares = mul(x, x);
    test.finish([sum(squares, { axes: [0, 2], keepDims }), ...(kernels === 1 ? [] : [squares])]);
    await check(test);
    const lowerings = createLowerings();
    const flat = flatten(test.graph, lowerings);
    assert.is(
      flat.nodes.length - planFusions(flat.nodes, flat.graph, countUses(flat)).absorbed.size,
      kernels,
    );
  }
});

programs(
  "a tied table's gradient, of the rows that were read and of the head, is made in one copy; rows that are named twice get both",
  async () => {
    const graph = new Graph();
    const [table, ids, labels] = [
      graph.input('table', 'float32', [7, 3]),
      graph.input('ids', 'int32', [6]),
      graph.input('labels', 'int32', [6]),
    ];
    const loss = linearCrossEntropy(gather(table, ids), table, labels, { chunk: 2 });
    graph.output('loss', loss);
    graph.output('gradient', grad(loss, [table])[0]!);
    const given = {
      table: ndarray(
        [7, 3],
        Array.from({ length: 21 }, (_, index) => Math.sin(3 * index)),
      ),
      ids: ndarray([6], [1, 2, 1, 1, 5, 0]),
      labels: ndarray([6], [2, -100, 2, 5, 1, -100]),
    };
    await checkLowering(engine, graph, given);
    const lowerings = createLowerings();
    const { model } = compileModel(flatten(graph, lowerings), lowerings, 'p');
    assert.is(Buffer.from(model).toString('latin1').split('ScatterElements').length - 1, 1);
  },
);

const textOf = (graph: Graph): string => {
  const lowerings = createLowerings();
  return Buffer.from(compileModel(flatten(graph, lowerings), lowerings, 'p').model).toString(
    'latin1',
  );
};

programs(
  'a decoding step takes q, k and v as the matrix that they are cut out of; other cuts of few rows are one kernel',
  () => {
    const graph = new Graph();
    const all = graph.input('all', 'float32', [2, 64]);
    const cut = (from: number, to: number): Value =>
      reshape(slice(all, [0, from], [2, to]), [2, 1, (to - from) / 16, 16]);
    const [keys, values] = ['keys', 'values'].map((name) =>
      graph.input(name, 'float32', [2, 1, 8, 16]),
    ) as [Value, Value];
    const cache = { keys, values, lengths: graph.input('lengths', 'int32', [2]) };
    graph.output(
      'y',
      decodeAttention({ q: cut(0, 32), k: cut(32, 48), v: cut(48, 64), cache }).result,
    );
    assert.ok(!/Slice|Split/.test(textOf(graph)) && textOf(graph).includes('GroupQueryAttention'));
    for (const [rows, kernel] of [
      [2, 'Split'],
      [50, 'Slice'],
    ] as const) {
      const other = new Graph();
      const x = other.input('x', 'float32', [rows, 6]);
      other.output('y', mul(slice(x, [0, 0], [rows, 3]), slice(x, [0, 3], [rows, 6])));
      assert.is(textOf(other).split(/Slice|Split/).length - 1, kernel === 'Split' ? 1 : 2);
      assert.ok(textOf(other).includes(kernel));
    }
  },
);

programs('a product of few rows with a large weight is worth prepacking', () => {
  const prepack = (rows: number, width: number): string | undefined => {
    const graph = new Graph();
    const weight = graph.weight('w', {
      kind: 'memory',
      dtype: 'float32',
      shape: [width, 64],
      data: new Float32Array(width * 64),
    });
    graph.output(
      'y',
      matMul(graph.input('x', 'float32', [rows, 64]), weight, { transposeB: true }),
    );
    const lowerings = createLowerings();
    return compileModel(flatten(graph, lowerings), lowerings, 'p').prepack;
  };
  assert.equal(
    [prepack(1, 1024), prepack(8, 1024), prepack(9, 1024), prepack(1, 64)],
    ['worth', 'worth', undefined, undefined],
  );
});

programs('only what is needed is lowered', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2, 3]);
  sigmoid(x);
  const loss = linearCrossEntropy(
    x,
    graph.input('w', 'float32', [5, 3]),
    graph.input('labels', 'int32', [2]),
  );
  graph.output('loss', mul(loss, 1));
  const lowerings = createLowerings();
  const flat = flatten(graph, lowerings);
  assert.is(flat.nodes.length, 1);
  const text = Buffer.from(compileModel(flat, lowerings, 'p').model).toString('latin1');
  assert.not.match(text, 'ScatterND');
});

programs('a recomputed region is really computed twice, and right', async () => {
  for (const recompute of [false, true]) {
    const test = new Case(11);
    const [x, w] = [test.input([4, 4]), test.input([4, 4])];
    const hidden = mul(x, 2);
    const inner = test.graph.region('block', () => relu(matMul(relu(matMul(hidden, w)), w)), {
      recompute,
    });
    const loss = sum(mul(inner, inner));
    test.graph.output('loss', loss);
    grad(loss, [x, w]).forEach((gradient, index) =>
      test.graph.output(`gradient ${index}`, gradient),
    );
    await check(test);
    const program = await engine.compile(test.graph, { profile: true });
    await program.run(await upload(test.graph, test.numbers));
    const { kernels, ops, regions } = await program.profile!();
    assert.is(kernels.find(({ name }) => name === 'Max')!.count, recompute ? 3 : 2);
    assert.ok(
      ops.some(({ name }) => name === 'matMul') && regions.some(({ name }) => name === 'block'),
    );
    await program.dispose();
  }
});

programs(
  'a product is added to what is there in place, and to what others read too beside it',
  async () => {
    for (const [transposeB, read] of [
      [false, false],
      [true, false],
      [true, true],
    ] as const) {
      const test = new Case(13);
      const x = test.input([256, 8]);
      const there = sigmoid(test.input([256, 256]));
      const total = add(
        there,
        mul(matMul(x, test.input(transposeB ? [256, 8] : [8, 256]), { transposeB }), 0.5),
      );
      test.finish(read ? [total, mul(there, 2)] : [total]);
      await check(test);
      const program = await engine.compile(test.graph, { profile: true });
      await program.run(await upload(test.graph, test.numbers));
      const kernels = (await program.profile!()).kernels.map(({ name }) => name);
      assert.ok(kernels.includes('FusedConv') && !kernels.includes('Gemm'), kernels.join());
      await program.dispose();
    }
  },
);

programs('inputs that nothing reads may stay, and names may hold anything', async () => {
  const test = new Case(12);
  test.input([2]);
  test.graph.output('a "quoted" / name', concat([test.input([2]), test.input([3])], 0));
  await check(test);
});

programs('a device that is unknown or not here is an error', async () => {
  assert.throws(
    () =>
      new OnnxEngine({ options: schema.parse({}), device: 'webgp', lowerings: createLowerings() }),
    /no device "webgp"; did you mean "webgpu"/,
  );
  const missing = (await engine.devices()).find(({ available }) => !available)!;
  const on = new OnnxEngine({
    options: schema.parse({}),
    device: missing.device,
    lowerings: createLowerings(),
  });
  const graph = new Graph();
  graph.output('y', mul(graph.input('x', 'float32', [1]), 2));
  assert.is((await rejection(on.compile(graph))).code, 'LMFLOW_DEVICE_UNAVAILABLE');
});

programs('devices are tried', async () => {
  const reports = await engine.devices();
  assert.equal(
    reports.map(({ device }) => device),
    ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'],
  );
  assert.is(reports[0]!.available, true);
  assert.ok(reports.every(({ available, detail }) => available || detail.length > 0));
});

programs(
  'a lowering loops: its body reads tensors around it, also one that is an output and one that nobody else reads',
  async () => {
    const scaleRows = defineOp({
      name: 'test/scaleRows',
      infer: ([x]) => [x!],
      decompose: ([x, by]) => [mul(mul(x!, by!), 2)],
    });
    let built = 0;
    const lower: Lowering = (emit, node) => {
      const [x, by] = emit.tensors(node.inputs) as [string, string];
      const twice = emit.node('Mul', [by, emit.scalar(2)]);
      const row = { dtype: 'float32', shape: [3] } as const;
      const body = emit.body({
        inputs: [row],
        outputs: [row, row],
        build: (one) => [emit.node('Mul', [one, twice]), emit.node('Mul', [one, by])],
      });
      const [scaled] = emit.nodeWithOutputs('Scan', [x], 2, {
        again: true,
        attributes: { num_scan_inputs: 1, body: { graph: body } },
      });
      emit.set(node.outputs[0]!, scaled!);
      built++;
    };
    const lowerings = createLowerings([lowering('onnx', scaleRows, lower)]);
    const test = new Case(3);
    const by = mul(test.input([3]), 0.5);
    test.finish([by, applyOne(scaleRows, [test.input([4, 3]), by], {})]);
    await check(test, { on: engineWith({}, lowerings) });
    assert.is(built, 1);
  },
);

programs.after(() => engine.dispose());
programs.run();
