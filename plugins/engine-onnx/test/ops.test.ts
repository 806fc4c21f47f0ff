// Every op of sdk/graph, with its gradient, against the float64 interpreter over random shapes.
import { suite } from 'uvu';
import * as sdk from '@lmflow/sdk/graph';
import type { Shape, Value } from '@lmflow/sdk/graph';
import { below, Case, check, engine, normal, positive, runOnce } from './support.ts';

const ops = suite('ops');
const covered = new Set<string>();
const ROUNDS = 4;
let cases = 0;

type Build = (test: Case) => void;

function each(names: string | readonly string[], build: Build, rounds = ROUNDS): void {
  const list = typeof names === 'string' ? [names] : names;
  list.forEach((name) => covered.add(name));
  const seed = ++cases;
  ops(list.join(', '), async () => {
    for (let round = 0; round < rounds; round++) {
      const test = new Case(1000 * seed + round);
      build(test);
      await check(test);
    }
  });
}

const shape = (test: Case, rank: number): Shape => Array.from({ length: rank }, () => test.size(5));
/** Two shapes that broadcast. */
function pair(test: Case): [Shape, Shape] {
  const whole = shape(test, 3);
  const thin = (from: Shape): Shape => from.map((size) => (test.next() < 0.3 ? 1 : size));
  return test.next() < 0.5
    ? [thin(whole), whole.slice(1 + Math.floor(test.next() * 2))]
    : [whole.slice(2), thin(whole)];
}

for (const [name, fill] of Object.entries({
  add: normal,
  sub: normal,
  mul: normal,
  div: positive,
  maximum: normal,
  minimum: normal,
})) {
  each(name, (test) => {
    const [a, b] = pair(test).map((operand) => test.input(operand, 'float32', fill)) as [
      Value,
      Value,
    ];
    test.finish(
      [(sdk as unknown as Record<string, (a: Value, b: Value) => Value>)[name]!(a, b)],
      [a, b],
    );
  });
}

const unary = {
  neg: normal,
  exp: normal,
  log: positive,
  sqrt: positive,
  reciprocal: positive,
  tanh: normal,
  sigmoid: normal,
  silu: normal,
  sin: normal,
  cos: normal,
  abs: normal,
  erf: normal,
  sign: normal,
  relu: normal,
  log1p: positive,
  expm1: normal,
  logSigmoid: normal,
  softplus: normal,
};
for (const [name, fill] of Object.entries(unary)) {
  each(name, (test) => {
    const x = test.input(shape(test, test.size(3)), 'float32', fill);
    test.finish([(sdk as unknown as Record<string, (x: Value) => Value>)[name]!(x)], [x]);
  });
}

for (const name of ['equal', 'less', 'lessOrEqual', 'greater', 'greaterOrEqual']) {
  for (const dtype of ['int32', 'float32', 'int64'] as const) {
    each(
      `${name}`,
      (test) => {
        const [a, b] = pair(test).map((operand) => test.input(operand, dtype, below(3))) as [
          Value,
          Value,
        ];
        test.finish([
          (sdk as unknown as Record<string, (a: Value, b: Value) => Value>)[name]!(a, b),
        ]);
      },
      2,
    );
  }
}

each(['logicalAnd', 'logicalOr', 'logicalNot'], (test) => {
  const [a, b] = pair(test).map((operand) => test.input(operand, 'bool')) as [Value, Value];
  test.finish([sdk.logicalAnd(a, b), sdk.logicalOr(a, b), sdk.logicalNot(a)]);
});

for (const dtype of ['float32', 'int32', 'int64', 'uint8'] as const) {
  each(
    'where',
    (test) => {
      const [a, b] = pair(test).map((operand) => test.input(operand, dtype, below(9))) as [
        Value,
        Value,
      ];
      const condition = test.input(sdk.broadcastShapes(a.shape, b.shape)!, 'bool');
      test.finish([sdk.where(condition, a, b)], dtype === 'float32' ? [a, b] : []);
    },
    2,
  );
}

each('detach', (test) => {
  const x = test.input(shape(test, 3));
  test.finish([sdk.mul(x, sdk.detach(x))], [x]);
});
each('softmax', (test) => {
  const x = test.input(shape(test, 3));
  test.finish([sdk.softmax(x)], [x]);
});
each(['sum', 'max', 'mean'], (test) => {
  const x = test.input(shape(test, 3));
  const options = {
    axes: [[0], [-1], [0, 2], [1], []][test.size(5) - 1]!,
    keepDims: test.next() < 0.5,
  };
  test.finish([sdk.add(sdk.sum(x, options), sdk.mean(x, options)), sdk.max(x, options)], [x]);
});
each(['sum', 'max'], (test) => {
  const x = test.input(shape(test, 3));
  test.finish([sdk.sum(x), sdk.max(x), sdk.sum(test.input([]))], [x]);
});

each('reshape', (test) => {
  const [a, b] = [test.size(4), test.size(4)];
  const x = test.input([a, b, 2]);
  test.finish([sdk.mul(sdk.reshape(x, [2 * b, a]), 2)], [x]);
});
each('transpose', (test) => {
  const x = test.input(shape(test, 3));
  test.finish([sdk.transpose(x, [2, 0, 1])], [x]);
});
each('slice', (test) => {
  const x = test.input(shape(test, 3));
  const starts = x.shape.map((size) => Math.floor(test.next() * size));
  test.finish(
    [
      sdk.slice(
        x,
        starts,
        x.shape.map(
          (size, axis) => starts[axis]! + 1 + Math.floor(test.next() * (size - starts[axis]!)),
        ),
      ),
    ],
    [x],
  );
});
each('pad', (test) => {
  const x = test.input(shape(test, 2));
  test.finish([sdk.pad(x, [test.size(3) - 1, 1], [0, test.size(3)])], [x]);
});
each('concat', (test) => {
  const [a, b] = [test.size(4), test.size(4)];
  const [x, y] = [test.input([2, a, 3]), test.input([2, b, 3])];
  test.finish([sdk.concat([x, y, x], 1)], [x, y]);
});
each('broadcastTo', (test) => {
  const x = test.input([test.size(3), 1, test.size(3)]);
  test.finish([sdk.broadcastTo(x, [4, x.shape[0]!, 5, x.shape[2]!])], [x]);
});
each('cast', (test) => {
  const kinds = ['float32', 'int32', 'int64', 'uint8', 'bool'] as const;
  const x = test.input([7], 'float32', below(4));
  const mask = test.input([7], 'uint8');
  const others = kinds.flatMap((from) =>
    kinds.map((to) => sdk.cast(test.input([5], from, below(2)), to)),
  );
  test.finish(
    [
      sdk.mul(sdk.cast(x, 'float32'), sdk.cast(mask, 'float32')),
      sdk.cast(x, 'int32'),
      sdk.cast(x, 'bool'),
      ...others.filter(({ source }) => source.kind === 'node'),
    ],
    [x],
  );
});

each('gather', (test) => {
  const x = test.input(shape(test, 3));
  const axis = Math.floor(test.next() * 3);
  test.finish(
    [sdk.gather(x, test.input([test.size(3), 4], 'int32', below(x.shape[axis]!)), axis)],
    [x],
  );
});
each('scatterAdd', (test) => {
  const [count, size] = [test.size(60), test.size(3)];
  const updates = test.input([count, ...shape(test, test.size(2))]);
  test.finish(
    [sdk.scatterAdd(test.input([count], 'int32', below(size)), updates, size)],
    [updates],
  );
});
each('after', (test) => {
  const [x, before] = [test.input(shape(test, test.size(3) - 1)), test.input(shape(test, 2))];
  test.finish([sdk.after(sdk.mul(x, 2), [sdk.exp(before), sdk.neg(before)])], [x]);
});
each('takeLast', (test) => {
  const x = test.input(shape(test, 3));
  test.finish([sdk.takeLast(x, test.input(x.shape.slice(0, 2), 'int32', below(x.shape[2]!)))], [x]);
});

const matrices: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[3], [3]],
  [
    [2, 1],
    [1, 3],
  ],
  [[2, 3], []],
  [[1], [4, 1]],
];
for (const [outerA, outerB] of matrices) {
  each('matMul', (test) => {
    const [m, k, n] = [test.size(6), test.size(6), test.size(6)];
    const [transposeA, transposeB] = [test.next() < 0.5, test.next() < 0.5];
    const a = test.input([...outerA, ...(transposeA ? [k, m] : [m, k])]);
    const b = test.input([...outerB, ...(transposeB ? [n, k] : [k, n])]);
    test.finish([sdk.matMul(a, b, { transposeA, transposeB })], [a, b]);
  });
}

each(['rmsNorm', 'layerNorm'], (test) => {
  const x = test.input([...shape(test, test.size(2)), 8]);
  const [weight, bias] = [test.input([8]), test.input([8])];
  test.finish(
    [sdk.add(sdk.rmsNorm(x, weight, 1e-5), sdk.layerNorm(x, weight, bias, 1e-5))],
    [x, weight, bias],
  );
});
each('gelu', (test) => {
  const x = test.input(shape(test, 2));
  test.finish([sdk.add(sdk.gelu(x, 'erf'), sdk.mul(sdk.gelu(x, 'tanh'), 2))], [x]);
});
each('swiglu', (test) => {
  const s = shape(test, 2);
  const [gate, up] = [test.input(s), test.input(s)];
  test.finish([sdk.swiglu(gate, up)], [gate, up]);
});
each('rope', (test) => {
  const [batch, length, heads, half, places] = [
    test.size(3),
    test.size(6),
    test.size(3),
    2 * test.size(3),
    test.next() < 0.3 ? 2 : 9,
  ];
  const x = test.input([batch, length, heads, 2 * half]);
  const angles = test.input([places, half]);
  const cosines = test.graph.constant(
    Float32Array.from(test.numbers['input 1']!.data, Math.cos),
    [places, half],
    'float32',
  );
  test.finish(
    [sdk.rope(x, cosines, sdk.sin(angles), test.input([batch, length], 'int32', below(places)))],
    [x],
  );
});

for (const op of ['attend', 'segmentedAttention']) {
  each(op, (test) => {
    const [batch, length, groups, shared, width] = [
      test.size(2),
      3 + test.size(12),
      test.size(2),
      test.size(3),
      2 * test.size(4),
    ];
    const q = test.input([batch, length, groups * shared, width]);
    const [k, v] = [
      test.input([batch, length, groups, width]),
      test.input([batch, length, groups, width]),
    ];
    const segments = op === 'attend' ? undefined : test.input([batch, length], 'int32', below(3));
    test.finish(
      [sdk.attention({ q, k, v, segments, tile: 4, window: test.next() < 0.5 ? 3 : undefined })],
      [q, k, v],
    );
  });
}

each(
  'decodeAttention',
  (test) => {
    const [batch, groups, shared, width, size] = [
      test.size(3),
      test.size(2),
      test.size(3),
      test.next() < 0.8 ? 8 * test.size(3) : 3,
      1 + test.size(9),
    ];
    const [q, ...tokens] = [groups * shared, groups, groups].map((heads) =>
      test.input([batch, 1, heads, width]),
    ) as [Value, Value, Value];
    const [keys, values] = [0, 1].map(() => test.input([batch, groups, size, width])) as [
      Value,
      Value,
    ];
    const cache = { keys, values, lengths: test.input([batch], 'int32', below(size)) };
    const { result } = sdk.decodeAttention({
      q,
      k: tokens[0],
      v: tokens[1],
      cache,
      window: test.next() < 0.5 ? 3 : undefined,
    });
    test.finish([result]);
  },
  12,
);

// What the kernel of a decoding step, and that of a sum and its norm, compute at once.
each(
  ['decodeAttention', 'rope'],
  (test) => {
    const [batch, groups, shared, width, size] = [
      test.size(3),
      test.size(2),
      test.size(2),
      16,
      2 + test.size(9),
    ];
    const positions = test.input([batch], 'int32', below(size));
    const tables = [Math.cos, Math.sin].map((turn) =>
      test.graph.constant(
        Float32Array.from({ length: (size + 1) * 8 }, (_, index) => turn(index / 5)),
        [size + 1, 8],
        'float32',
      ),
    ) as [Value, Value];
    const turned = (heads: number, given: readonly [Value, Value]): Value =>
      sdk.rope(test.input([batch, 1, heads, width]), ...given, sdk.reshape(positions, [batch, 1]));
    const q = turned(groups * shared, tables);
    const k = turned(groups, test.next() < 0.7 ? tables : [sdk.mul(tables[0], 0.5), tables[1]]);
    const [v, keys, values] = [
      test.input([batch, 1, groups, width]),
      test.input([batch, groups, size, width]),
      test.input([batch, groups, size, width]),
    ];
    test.finish([
      sdk.decodeAttention({ q, k, v, cache: { keys, values, lengths: positions } }).result,
    ]);
  },
  8,
);
// q, k and v cut out of one matrix, rotated or not; and other cuts of a matrix.
each(
  ['decodeAttention', 'slice'],
  (test) => {
    const [batch, groups, shared, width, size] = [
      test.size(3),
      test.size(2),
      test.size(3),
      16,
      2 + test.size(9),
    ];
    const positions = test.input([batch], 'int32', below(size));
    const tables = [Math.cos, Math.sin].map((turn) =>
      test.graph.constant(
        Float32Array.from({ length: (size + 1) * 8 }, (_, index) => turn(index / 5)),
        [size + 1, 8],
        'float32',
      ),
    ) as [Value, Value];
    const [heads, turns, swapped] = [groups * shared, test.next() < 0.5, test.next() < 0.3];
    const all = test.input([batch, (heads + 2 * groups) * width]);
    const cut = (from: number, count: number): Value =>
      sdk.reshape(sdk.slice(all, [0, from * width], [batch, (from + count) * width]), [
        batch,
        1,
        count,
        width,
      ]);
    const turned = (x: Value): Value =>
      turns ? sdk.rope(x, ...tables, sdk.reshape(positions, [batch, 1])) : x;
    const [k, v] = [
      cut(heads + (swapped ? groups : 0), groups),
      cut(heads + (swapped ? 0 : groups), groups),
    ];
    const [keys, values] = [
      test.input([batch, groups, size, width]),
      test.input([batch, groups, size, width]),
    ];
    test.finish([
      sdk.decodeAttention({
        q: turned(cut(0, heads)),
        k: turned(k),
        v,
        cache: { keys, values, lengths: positions },
      }).result,
    ]);
  },
  12,
);
each(
  'slice',
  (test) => {
    const [rows, widths] = [test.size(12), [test.size(4), test.size(4), test.size(4)]];
    const all = test.input([rows, widths[0]! + widths[1]! + widths[2]!]);
    const cut = (from: number, to: number): Value => sdk.slice(all, [0, from], [rows, to]);
    test.finish(
      [
        sdk.neg(cut(widths[0]!, widths[0]! + widths[1]!)),
        cut(0, widths[0]!),
        cut(widths[0]! + widths[1]!, all.shape[1]!),
      ],
      [all],
    );
  },
  8,
);
each(['add', 'rmsNorm'], (test) => {
  const shape = [test.size(4), 8];
  const sum = sdk.add(test.input(shape), test.input(shape));
  test.finish([sdk.rmsNorm(sum, test.input([8]), 1e-5), sdk.mul(sum, 2)]);
});

const labelled: Readonly<Record<string, (row: number, test: Case) => boolean>> = {
  none: () => false,
  one: (row) => row === 3,
  some: (_row, test) => test.next() < 0.5,
  all: () => true,
};
for (const carries of Object.values(labelled)) {
  each('linearCrossEntropy', (test) => {
    const [rows, width, size] = [4 + test.size(12), test.size(8), 1 + test.size(20)];
    const [hidden, weight] = [test.input([rows, width]), test.input([size, width])];
    let row = 0;
    const labels = test.input([rows], 'int32', (next) =>
      carries(row++, test) ? Math.floor(next() * size) : -100,
    );
    test.finish([sdk.linearCrossEntropy(hidden, weight, labels, { chunk: 3 })], [hidden, weight]);
  });
}

for (const carries of Object.values(labelled)) {
  for (const [temperature, softCap] of [
    [1, 0],
    [0.7, 0],
    [1.5, 3],
  ] as const) {
    each('linearLogProbs', (test) => {
      const [rows, width, size] = [4 + test.size(12), test.size(8), 1 + test.size(20)];
      const [hidden, weight] = [test.input([rows, width]), test.input([size, width])];
      let row = 0;
      const labels = test.input([rows], 'int32', (next) =>
        carries(row++, test) ? Math.floor(next() * size) : -100,
      );
      const found = sdk.linearLogProbs(hidden, weight, labels, { chunk: 3, temperature, softCap });
      // what arrives at the rows differs from row to row
      const weights = test.input([rows]);
      const terms = [sdk.mul(found.logProbs, weights)];
      if (test.next() < 0.5) terms.push(sdk.mul(found.entropies, weights), found.meanLogits);
      const weighted = terms.reduce((total, term) => sdk.add(total, term));
      test.finish([weighted, found.entropies], [hidden, weight]);
    });
  }
}
covered.add('linearLogProbsGradient');

each('log1mexp', (test) => {
  const x = test.input([4], 'float32', (next) => -0.05 - 3 * next());
  test.finish([sdk.log1mexp(x)], [x]);
});

ops('logarithms of probabilities near 0 and 1 keep their digits', async () => {
  const test = new Case(1);
  const graph = test.graph;
  const points = [-120, -30, -1, -1e-6, 0, 0.5, 20, 60];
  const below = [-60, -20, -1, -0.7, -0.69, -0.1, -1e-5, -1e-7];
  const inputs = { x: sdk.ndarray([8], points), below: sdk.ndarray([8], below) };
  const x = graph.input('x', 'float32', [8]);
  const negative = graph.input('below', 'float32', [8]);
  graph.output('logSigmoid', sdk.logSigmoid(x));
  graph.output('log1mexp', sdk.log1mexp(negative));
  graph.output('by below', sdk.grad(sdk.sum(sdk.log1mexp(negative)), [negative])[0]!);
  graph.output('softplus', sdk.softplus(x));
  // as float32 has them
  const rounded = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [
      name,
      sdk.ndarray(shape, [...Float32Array.from(data)]),
    ]),
  );
  const expected = sdk.interpret(graph, rounded);
  const actual = await runOnce(graph, rounded);
  for (const [name, { data }] of Object.entries(expected)) {
    data.forEach((number, index) => {
      const found = actual[name]!.data[index]!;
      // numbers that float32 does not have are 0
      if (Math.abs(number) < 1e-37) return;
      const off = Math.abs(found / number - 1);
      if (!(off < 2e-6)) throw new Error(`${name}[${index}]: ${found}, not ${number}`);
    });
  }
});

ops('every op of the sdk is here', () => {
  const missing = Object.entries(sdk)
    .filter(([name]) => name.endsWith('Op') && name !== 'defineOp' && name !== 'applyOp')
    .map(([, op]) => (op as { name: string }).name)
    .filter((name) => !covered.has(name));
  if (missing.length > 0) throw new Error(`not tested: ${missing.join(', ')}`);
});

ops.after(() => engine.dispose());
ops.run();
