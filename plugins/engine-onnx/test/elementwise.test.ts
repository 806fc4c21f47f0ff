// Large elementwise programs as loops: the same bits as ONNX Runtime's kernels, in place, and which
// programs they are.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lowering } from '@lmflow/sdk';
import { isLMFlowError } from '@lmflow/sdk';
import {
  abs,
  add,
  div,
  equal,
  exp,
  greater,
  greaterOrEqual,
  Graph,
  interpret,
  less,
  lessOrEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  maximum,
  minimum,
  mul,
  ndarray,
  neg,
  reciprocal,
  sign,
  sqrt,
  sub,
  sum,
  where,
  type Shape,
  type Value,
} from '@lmflow/sdk/graph';
import { elementwiseLoop, PIECE } from '../src/elementwise/loop.ts';
import { LoopProgram } from '../src/elementwise/loop-program.ts';
import type { Lowering } from '../src/index.ts';
import { createLowerings } from '../src/lowerings/index.ts';
import { engine, engineWith, normal, random } from './support.ts';

const loops = suite('elementwise loops');

const SIZE = 2 * PIECE + 1002; // whole pieces, and one that no vector of four divides
const SPECIAL = [0, -0, 1, -1, Infinity, -Infinity, NaN, 1e-40, -1e-40, 3e38, 1e-38];

const unary = { neg, abs, sqrt, reciprocal, sign };
const binary = { add, sub, mul, div, maximum, minimum };
const comparisons = { equal, less, lessOrEqual, greater, greaterOrEqual };

/** Every op there is, of two tensors and a scalar, over tensors of this shape. */
function everything(shape: Shape): Graph {
  const graph = new Graph();
  const [a, b, s] = [
    graph.input('a', 'float32', shape),
    graph.input('b', 'float32', shape),
    graph.input('s', 'float32', []),
  ];
  for (const [name, op] of Object.entries(unary)) graph.output(name, op(a));
  for (const [name, op] of Object.entries(binary)) {
    graph.output(name, op(a, b));
    graph.output(`${name} scalar`, op(a, mul(s, 3)));
  }
  const tests = Object.entries(comparisons).map(([name, op]) => [name, op(a, b)] as const);
  for (const [name, test] of tests) graph.output(name, where(test, a, s));
  const [one, two] = [less(a, s), greater(b, 0)];
  graph.output('where and', where(logicalAnd(one, two), b, 7));
  graph.output('where or', where(logicalOr(one, logicalNot(two)), a, b));
  return graph;
}

type Numbers = Readonly<Record<string, Float32Array>>;

async function run(
  graph: Graph,
  arrays: Numbers,
  targets: Numbers = {},
): Promise<{ readonly looped: boolean; readonly results: Numbers }> {
  const program = await engine.compile(graph);
  const upload = async (name: string, data: Float32Array, shape: Shape) =>
    [name, await engine.upload(data, shape, 'float32')] as const;
  const inputs = Object.fromEntries(
    await Promise.all(
      [...graph.inputs].map(([name, { shape }]) => upload(name, arrays[name]!, shape)),
    ),
  );
  const outputs = Object.fromEntries(
    await Promise.all(
      Object.entries(targets).map(([name, data]) =>
        upload(name, data, graph.outputs.get(name)!.shape),
      ),
    ),
  );
  const results = Object.entries(await program.run(inputs, outputs));
  const read = Object.fromEntries(
    await Promise.all(
      results.map(async ([name, tensor]) => [name, (await tensor.read()) as Float32Array] as const),
    ),
  );
  await program.dispose();
  return { looped: program instanceof LoopProgram, results: read };
}

/** Object.is tells 0 from -0 and takes every NaN for the same. */
function differences(one: Float32Array, other: Float32Array): string[] {
  return Array.from(one, (number, index) =>
    Object.is(number, other[index]) ? '' : `${index}: ${number}, not ${other[index]}`,
  )
    .filter(Boolean)
    .slice(0, 3);
}

function inputs(): Numbers {
  const next = random(3);
  const numbers = (): Float32Array =>
    Float32Array.from({ length: SIZE }, () => normal(next) * 10 ** Math.round(6 * (next() - 0.5)));
  const [a, b] = [numbers(), numbers()] as const;
  SPECIAL.forEach((first, row) => {
    SPECIAL.forEach((second, column) => {
      [a[row * SPECIAL.length + column], b[row * SPECIAL.length + column]] = [first, second];
    });
  });
  return { a, b, s: Float32Array.of(0.3) };
}

loops(
  'every op gives the same bits as the kernels of the runtime, but for the sign of a zero that is chosen',
  async () => {
    const arrays = inputs();
    const graph = everything([SIZE]);
    const { looped, results } = await run(graph, arrays);
    assert.ok(looped);
    const part = 1002;
    for (let start = 0; start < SIZE; start += part) {
      const length = Math.min(part, SIZE - start);
      const piece = await run(everything([length]), {
        ...arrays,
        a: arrays['a']!.slice(start, start + length),
        b: arrays['b']!.slice(start, start + length),
      });
      assert.not.ok(piece.looped);
      for (const name of graph.outputs.keys()) {
        // Where the runtime chooses -0 it may give 0, or the other way round: with 0 added both are
        // 0.
        const chooses = name in comparisons || /^(where|max|min)/.test(name);
        const plain = (numbers: Float32Array): Float32Array =>
          chooses ? numbers.map((number) => number + 0) : numbers;
        assert.equal(
          differences(
            plain(results[name]!.slice(start, start + length)),
            plain(piece.results[name]!),
          ),
          [],
          name,
        );
      }
    }
  },
);

loops('every op is what the interpreter computes', async () => {
  const arrays = inputs();
  const graph = everything([2, SIZE / 2]);
  const { results } = await run(graph, arrays);
  const expected = interpret(
    graph,
    Object.fromEntries(
      [...graph.inputs].map(([name, { shape }]) => [
        name,
        ndarray(shape, Float64Array.from(arrays[name]!)),
      ]),
    ),
  );
  for (const name of graph.outputs.keys()) {
    const wrong = [...results[name]!].findIndex((number, index) => {
      const exact = Math.fround(expected[name]!.data[index]!);
      return (
        !Object.is(number, exact) &&
        !(Math.abs(number - exact) <= 1e-6 * Math.abs(exact)) &&
        !(number === 0 && exact === 0)
      );
    });
    assert.is(
      wrong,
      -1,
      `${name}[${wrong}]: ${results[name]![wrong]}, not ${expected[name]!.data[wrong]}`,
    );
  }
});

loops(
  'results may be written over inputs, also over those that others are computed from',
  async () => {
    const graph = new Graph();
    const [x, y, rate] = [
      graph.input('x', 'float32', [SIZE]),
      graph.input('y', 'float32', [SIZE]),
      graph.input('rate', 'float32', []),
    ];
    graph.output('next x', sub(x, mul(y, rate)));
    graph.output('next y', add(y, x));
    const [a, b] = [
      Float32Array.from({ length: SIZE }, (_, index) => index),
      new Float32Array(SIZE).fill(2),
    ];
    const { looped, results } = await run(
      graph,
      { x: a, y: b, rate: Float32Array.of(0.5) },
      { 'next x': a, 'next y': b },
    );
    assert.ok(looped && results['next x'] === a && results['next y'] === b);
    assert.ok(a.every((number, index) => number === index - 1));
    assert.ok(b.every((number, index) => number === index + 2));
  },
);

loops('what is given is checked, and a program that is disposed says so', async () => {
  const graph = new Graph();
  graph.output('y', mul(graph.input('x', 'float32', [SIZE]), graph.input('s', 'float32', [])));
  const program = await engine.compile(graph, { name: 'scaling' });
  const [x, s] = [
    await engine.upload(new Float32Array(SIZE), [SIZE], 'float32'),
    await engine.upload(Float32Array.of(1), [], 'float32'),
  ];
  const fails = async (
    code: string,
    pattern: RegExp,
    ...given: Parameters<typeof program.run>
  ): Promise<void> => {
    const error: unknown = await program.run(...given).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(
      isLMFlowError(error) && error.code === code && pattern.test(error.message),
      String(error),
    );
  };
  await fails(
    'LMFLOW_ENGINE_TENSOR_INVALID',
    /the input "s" of the program "scaling" must be .*, found nothing/,
    { x },
  );
  await fails('LMFLOW_ENGINE_TENSOR_INVALID', /the input "x" .*, found float32\[\]/, { x: s, s });
  await fails(
    'LMFLOW_ENGINE_TENSOR_INVALID',
    /the output "y" .*, found float32\[\]/,
    { x, s },
    { y: s },
  );
  const gone = await engine.upload(new Float32Array(SIZE), [SIZE], 'float32');
  gone.dispose();
  await fails('LMFLOW_ENGINE_RUN_FAILED', /"scaling" failed: .*disposed/, { x: gone, s });
  await program.dispose();
  await program.dispose();
  await fails('LMFLOW_ENGINE_DISPOSED', /"scaling"/, { x, s });

  const own = engineWith();
  const left = await own.compile(graph, { name: 'left' });
  assert.instance(left, LoopProgram);
  await own.dispose();
  const error: unknown = await left.run({ x, s }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isLMFlowError(error) && error.code === 'LMFLOW_ENGINE_DISPOSED');
});

/** x + 1 + 1 + ..., so many times, of so many tensors. */
function counting(times: number, tensors = 1): Graph {
  const graph = new Graph();
  for (let tensor = 0; tensor < tensors; tensor++) {
    let value = graph.input(`x${tensor}`, 'float32', [SIZE]);
    for (let time = 0; time < times; time++) value = add(value, 1);
    graph.output(`y${tensor}`, value);
  }
  return graph;
}

loops(
  'programs share their memory, also when one needs more of it; long ones have room',
  async () => {
    const zeros = new Float32Array(SIZE);
    const given = (tensors: number): Numbers =>
      Object.fromEntries(Array.from({ length: tensors }, (_, index) => [`x${index}`, zeros]));
    const first = await engine.compile(counting(1));
    const x0 = await engine.upload(zeros, [SIZE], 'float32');
    for (const [times, tensors] of [
      [2, 40],
      [10_000, 1],
    ] as const) {
      const { looped, results } = await run(counting(times, tensors), given(tensors));
      assert.ok(
        looped &&
          Object.values(results).every((numbers) => numbers.every((number) => number === times)),
      );
      const { y0 } = await first.run({ x0 });
      assert.ok(((await y0!.read()) as Float32Array).every((number) => number === 1));
    }
    await first.dispose();
  },
);

loops('the event loop turns between runs', async () => {
  const program = await engine.compile(counting(1));
  const x0 = await engine.upload(new Float32Array(SIZE), [SIZE], 'float32');
  let turns = 0;
  const timer = setInterval(() => {
    turns++;
  }, 0);
  for (let time = 0; time < 200; time++) await program.run({ x0 }, { y0: x0 });
  clearInterval(timer);
  assert.ok(turns > 1);
  await program.dispose();
});

loops(
  'the runtime has what is profiled, what has more threads, and what a plugin lowers',
  async () => {
    const graph = counting(1);
    const lower: Lowering = (emit, node) => {
      emit.result(node, 'Add', emit.tensors(node.inputs));
    };
    const lowerings = createLowerings([lowering('onnx', { name: 'add' }, lower)]);
    const others = [engineWith({ threads: 3 }), engineWith({}, lowerings)];
    const programs = [
      await engine.compile(graph, { profile: true }),
      ...(await Promise.all(others.map((other) => other.compile(graph)))),
    ];
    for (const program of programs) {
      assert.not.instance(program, LoopProgram);
      await program.dispose();
    }
  },
);

loops('other programs are left to the runtime', () => {
  const builds: Readonly<Record<string, (x: Value, graph: Graph) => Value>> = {
    'another op': (x) => exp(x),
    'a sum': (x) => mul(x, sum(x)),
    'another shape': (x, graph) => mul(graph.input('row', 'float32', [1]), x),
    'a tensor of constants': (x, graph) =>
      mul(x, graph.constant(new Float32Array(SIZE), [SIZE], 'float32')),
    'a weight': (x, graph) =>
      mul(
        x,
        graph.weight('w', {
          kind: 'memory',
          dtype: 'float32',
          shape: [SIZE],
          data: new Float32Array(SIZE),
        }),
      ),
    'a result of booleans': (x) => less(x, 0),
    'booleans that are given': (x, graph) => where(graph.input('mask', 'bool', [SIZE]), x, 0),
    'masks that are chosen': (x) => where(where(less(x, 0), less(x, 1), less(x, 2)), x, 0),
    'masks that are compared': (x) => where(equal(less(x, 0), less(x, 1)), x, 0),
    'an input as it is': (x) => x,
    'a scalar': (_x, graph) => mul(graph.input('s', 'float32', []), 2),
  };
  for (const [what, build] of Object.entries(builds)) {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [SIZE]);
    graph.output('double', mul(x, 2));
    assert.ok(elementwiseLoop(graph), what);
    graph.output('result', build(x, graph));
    assert.is(elementwiseLoop(graph), undefined, what);
  }
  const small = new Graph();
  small.output('y', mul(small.input('x', 'float32', [1000]), 2));
  assert.is(elementwiseLoop(small), undefined);
});

loops.run();
