// Attention by tiles, and linear cross-entropy: what their options must not change, and what they
// must hide.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attention,
  exp,
  grad,
  Graph,
  interpret,
  linearCrossEntropy,
  log,
  matMul,
  mul,
  ndarray,
  sub,
  sum,
  takeLast,
  type AttentionOptions,
  type NdArray,
  type Value,
} from '@lmflow/sdk/graph';
import { compareArrays, randomInputs, type TestInputs } from '@lmflow/sdk/testing';

type Options = Pick<AttentionOptions, 'tile' | 'window' | 'scale'>;
const shapes = {
  q: { shape: [2, 7, 4, 2] },
  k: { shape: [2, 7, 2, 2] },
  v: { shape: [2, 7, 2, 2] },
} as const;

/** The result of attention and the gradients of its square. */
function run(
  options: Options,
  inputs: Record<string, NdArray> = randomInputs(shapes),
  segments?: readonly number[],
): Record<string, NdArray> {
  const graph = new Graph();
  const [q, k, v] = ['q', 'k', 'v'].map((name) =>
    graph.input(name, 'float32', inputs[name]!.shape),
  ) as [Value, Value, Value];
  const given =
    segments && graph.input('segments', 'int32', [inputs.q!.shape[0]!, inputs.q!.shape[1]!]);
  const result = attention({ q, k, v, segments: given, ...options });
  graph.output('result', result);
  grad(sum(mul(result, result)), [q, k, v]).forEach((gradient, index) =>
    graph.output(`gradient of ${'qkv'[index]!}`, gradient),
  );
  return interpret(
    graph,
    segments ? { ...inputs, segments: ndarray(given!.shape, segments) } : inputs,
  );
}

function same(
  actual: Record<string, NdArray>,
  expected: Record<string, NdArray>,
  sides: readonly [string, string],
): void {
  for (const [what, array] of Object.entries(actual)) {
    compareArrays(array, expected[what]!, { what, sides, tolerance: 1e-12 });
  }
}

const segments = [1, 1, 1, 2, 2, 3, 3, 1, 2, 2, 2, 2, 2, 0];

for (const tile of [1, 2, 3, 4, 6, 7, 100]) {
  test(`tiles of ${tile} rows give what one tile gives`, () => {
    for (const window of [undefined, 1, 3, 7, 20]) {
      same(run({ tile, window }), run({ tile: 7, window }), [`tiles of ${tile}`, 'one tile']);
    }
    same(run({ tile }, undefined, segments), run({ tile: 7 }, undefined, segments), [
      `tiles of ${tile}`,
      'one tile',
    ]);
  });
}

test('a window that covers everything is no window; one segment is no segment', () => {
  same(run({ window: 7 }), run({}), ['window', 'no window']);
  same(run({}, undefined, new Array<number>(14).fill(5)), run({}), ['one segment', 'none']);
});

test('a query does not see what comes after it, before its window, or in another segment', () => {
  const inputs = randomInputs({
    q: { shape: [1, 6, 2, 2] },
    k: { shape: [1, 6, 1, 2] },
    v: { shape: [1, 6, 1, 2] },
  });
  const row = (array: NdArray, at: number): number[] => [
    ...array.data.subarray(at * 4, at * 4 + 4),
  ];
  const changed = (at: number): Record<string, NdArray> => {
    const poke = ({ shape, data }: NdArray): NdArray => {
      const copy = Float64Array.from(data);
      copy[at * 2]! += 5;
      return { shape, data: copy };
    };
    return { q: inputs.q!, k: poke(inputs.k!), v: poke(inputs.v!) };
  };
  const sees = (options: Options, own?: readonly number[]): string[] => {
    const before = run(options, inputs, own).result!;
    return Array.from({ length: 6 }, (_, query) =>
      Array.from({ length: 6 }, (_key, key) =>
        row(run(options, changed(key), own).result!, query).some(
          (x, i) => Math.abs(x - row(before, query)[i]!) > 1e-9,
        )
          ? 'x'
          : '.',
      ).join(''),
    );
  };
  assert.equal(sees({ tile: 4 }), ['x.....', 'xx....', 'xxx...', 'xxxx..', 'xxxxx.', 'xxxxxx']);
  assert.equal(sees({ tile: 4, window: 2 }), [
    'x.....',
    'xx....',
    '.xx...',
    '..xx..',
    '...xx.',
    '....xx',
  ]);
  assert.equal(sees({ tile: 4 }, [1, 1, 2, 2, 2, 1]), [
    'x.....',
    'xx....',
    '..x...',
    '..xx..',
    '..xxx.',
    'xx...x',
  ]);
});

test('packed samples attend as they would alone', () => {
  const inputs = randomInputs({
    q: { shape: [1, 5, 2, 2] },
    k: { shape: [1, 5, 2, 2] },
    v: { shape: [1, 5, 2, 2] },
  });
  const part = (from: number, to: number): Record<string, NdArray> =>
    Object.fromEntries(
      Object.entries(inputs).map(([name, { data }]) => [
        name,
        ndarray([1, to - from, 2, 2], data.subarray(from * 4, to * 4)),
      ]),
    );
  const packed = run({ tile: 2 }, inputs, [1, 1, 2, 2, 2]);
  const [first, second] = [run({ tile: 2 }, part(0, 2)), run({ tile: 2 }, part(2, 5))];
  for (const [what, { shape, data }] of Object.entries(packed)) {
    compareArrays({ shape, data }, ndarray(shape, [...first[what]!.data, ...second[what]!.data]), {
      what,
      sides: ['packed', 'alone'],
      tolerance: 1e-12,
    });
  }
});

test('layers of one graph share their masks', () => {
  const graph = new Graph();
  const [q, k] = [
    graph.input('q', 'float32', [1, 5, 2, 2]),
    graph.input('k', 'float32', [1, 5, 1, 2]),
  ];
  const masks = (): Value[] => {
    const start = graph.nodes.length;
    attention({ q, k, v: k, tile: 2 });
    return graph.nodes
      .slice(start)
      .filter((node) => node.op.name === 'attend')
      .map((node) => node.inputs[3]!);
  };
  const [first, second] = [masks(), masks()];
  assert.is(first.length, 3);
  first.forEach((mask, index) => assert.is(mask, second[index]));
});

function crossEntropy(
  labels: readonly number[],
  chunk: number,
  plain: boolean,
): Record<string, NdArray> {
  const inputs: TestInputs = {
    hidden: { shape: [labels.length, 3], range: [-4, 4] },
    weight: { shape: [5, 3], range: [-4, 4] },
  };
  const graph = new Graph();
  const [hidden, weight] = [
    graph.input('hidden', 'float32', inputs.hidden!.shape),
    graph.input('weight', 'float32', inputs.weight!.shape),
  ];
  const target = graph.input('labels', 'int32', [labels.length]);
  const build = (): Value => {
    const logits = matMul(hidden, weight, { transposeB: true });
    const own = labels.map((label) => Number(label >= 0));
    const perRow = sub(log(sum(exp(logits), { axes: [1] })), takeLast(logits, target));
    return sum(mul(perRow, graph.constant(Float32Array.from(own), [labels.length], 'float32')));
  };
  const loss = plain ? build() : linearCrossEntropy(hidden, weight, target, { chunk });
  graph.output('loss', loss);
  grad(loss, [hidden, weight]).forEach((gradient, index) =>
    graph.output(`gradient ${index}`, gradient),
  );
  return interpret(graph, {
    ...randomInputs(inputs),
    labels: ndarray([labels.length], plain ? labels.map((label) => Math.max(0, label)) : labels),
  });
}

test('linear cross-entropy is minus log softmax, summed over rows with a label', () => {
  for (const labels of [[0, 1, 2, 3, 4], [-100, 3, -1, 3], [2], [-100]]) {
    for (const chunk of [1, 2, 128]) {
      same(crossEntropy(labels, chunk, false), crossEntropy(labels, chunk, true), [
        'linearCrossEntropy',
        'log softmax',
      ]);
    }
  }
});

test('rows without a label get exactly zero gradient', () => {
  const { 'gradient 0': byHidden } = crossEntropy([-100, 3, -1], 2, false);
  assert.equal(
    [...byHidden!.data.subarray(0, 3), ...byHidden!.data.subarray(6)].map(Math.abs),
    [0, 0, 0, 0, 0, 0],
  );
  assert.ok(byHidden!.data.subarray(3, 6).every((number) => number !== 0));
});

test('large logits do not overflow', () => {
  const graph = new Graph();
  const loss = linearCrossEntropy(
    graph.input('h', 'float32', [2, 1]),
    graph.input('w', 'float32', [2, 1]),
    graph.input('l', 'int32', [2]),
  );
  graph.output('loss', loss);
  const { loss: result } = interpret(graph, {
    h: ndarray([2, 1], [1e4, -1e4]),
    w: ndarray([2, 1], [1, -1]),
    l: ndarray([2], [0, 1]),
  });
  assert.is(result!.data[0], 0);
});

test('a label outside the vocabulary is an error that says so', () => {
  assert.throws(() => crossEntropy([1, 7], 128, false), /takeLast: index 7 is outside 0\.\.4/);
});

test.run();
