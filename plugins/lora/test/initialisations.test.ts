// Initialisations that begin with the base's weight: the decompositions, what the model computes at the
// start, and how the matrices are saved.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { interpret, ndarray } from '@lmflow/sdk/graph';
import { randomStream } from '@lmflow/sdk';
import { setAdapter } from '@lmflow/sdk/model';
import { approximateSingular, firstOfQr, largestSingular } from '../src/decomposition.ts';
import { addAdapters } from '../src/project.ts';
import { loadAdapter } from '../src/load.ts';
import { replaceWeights } from '../src/replaced.ts';
import { LINEARS, options, tinyModel, trace } from './model.ts';

const random = randomStream(5, 'test');
const normal = (index: number): number => random.normal(index);
const matrix = (rows: number, columns: number, rank = rows): Parameters<typeof firstOfQr>[0] => {
  const [left, right] = [
    Array.from({ length: rows * rank }, (_, index) => normal(index)),
    Array.from({ length: rank * columns }, (_, index) => normal(1e6 + index)),
  ];
  const data = Float64Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += left[row * rank + k]! * right[k * columns + column]!;
    return sum;
  });
  return { data, rows, columns };
};

const distance = (one: ArrayLike<number>, other: ArrayLike<number>): number =>
  Math.sqrt(Array.from(one).reduce((sum, number, index) => sum + (number - other[index]!) ** 2, 0));

/** left diag(values) right^T */
function product({ values, left, right }: ReturnType<typeof largestSingular>): Float64Array {
  const [rows, columns] = [left[0]!.length, right[0]!.length];
  return Float64Array.from({ length: rows * columns }, (_, index) =>
    values.reduce(
      (sum, value, k) =>
        sum + value * left[k]![Math.floor(index / columns)]! * right[k]![index % columns]!,
      0,
    ),
  );
}

for (const [rows, columns] of [
  [40, 12],
  [12, 40],
  [9, 9],
] as const) {
  test(`all singular values of [${rows}, ${columns}] give the matrix again, largest first, of orthonormal vectors`, () => {
    const given = matrix(rows, columns);
    const count = Math.min(rows, columns);
    const found = largestSingular(given, count, normal);
    assert.ok(distance(product(found), given.data) < 1e-8);
    found.values.forEach((value, index) =>
      assert.ok(value <= (found.values[index - 1] ?? Infinity)),
    );
    for (const vectors of [found.left, found.right]) {
      vectors.forEach((one, i) => {
        vectors.forEach((other, j) => {
          const dot = one.reduce((sum, number, index) => sum + number * other[index]!, 0);
          assert.ok(Math.abs(dot - Number(i === j)) < 1e-9);
        });
      });
    }
  });
}

test('the largest few of a larger matrix are those of all, and approximated they come near', () => {
  const given = matrix(120, 80);
  const all = largestSingular(given, 80, normal);
  const few = largestSingular(given, 3, normal);
  assert.ok(distance(few.values, all.values.subarray(0, 3)) < 1e-9 * all.values[0]!);
  const near = approximateSingular(given, 3, 200, normal);
  assert.ok(distance(near.values, few.values) < 1e-3 * all.values[0]!);
  assert.ok(distance(product(near), product(few)) < 0.1 * all.values[0]!);
});

test('a matrix of a lower rank has no more vectors, and no NaN', () => {
  const found = largestSingular(matrix(20, 15, 2), 5, normal);
  assert.ok(found.values.every((value) => Number.isFinite(value)));
  assert.ok(found.values.subarray(2).every((value) => value < 1e-6 * found.values[0]!));
});

test("Q's columns are orthonormal, and Q R is the matrix where all columns are taken", () => {
  const given = matrix(30, 10);
  const { q, r } = firstOfQr(given, 10);
  const found = product({ values: new Float64Array(10).fill(1), left: q, right: r });
  assert.ok(distance(found, given.data) < 1e-9);
});

for (const initLoraWeights of ['pissa', 'pissa_niter_4', 'olora', 'loftq'] as const) {
  test(`${initLoraWeights}: training starts near the base, with matrices that are not zero`, async () => {
    const targetModules = ['q_proj', 'k_proj'];
    const model = tinyModel();
    const { adapter } = await loadAdapter(
      model,
      options({ r: 2, initLoraWeights, targetModules }),
      1,
    );
    setAdapter(model, adapter);
    addAdapters(model, 'lora');
    replaceWeights(model, 'lora');
    const layers = LINEARS.slice(0, 2);
    const computed = (of: typeof model): ArrayLike<number> => {
      const { graph, ...rest } = trace(of, 'inference');
      const results = of.build.project({ ...rest, graph }, rest.x, layers);
      results.forEach((y, index) => graph.output(String(index), y));
      const x = ndarray(
        [5, 6],
        Array.from({ length: 30 }, (_, index) => Math.cos(index)),
      );
      return interpret(graph, { x })['0']!.data;
    };
    const [found, base] = [computed(model), computed(tinyModel())];
    const limit = initLoraWeights === 'loftq' ? 0.1 : 1e-5;
    const norm = (numbers: ArrayLike<number>): number =>
      distance(numbers, new Float64Array(numbers.length));
    assert.ok(distance(found, base) < limit * norm(base), `${distance(found, base)}`);
    const pair = adapter.pairs.get(layers[0]!.name)!;
    assert.ok(pair.b.data.some((number) => number !== 0));
    const merged = await model.read(layers[0]!.weight);
    const delta = adapter.delta(layers[0]!.weight, merged)!;
    assert.ok(norm(delta) < limit * norm(merged));
  });
}

test('LoftQ: the matrices take back a part of what the rounding of the base loses', async () => {
  const model = tinyModel();
  const { adapter } = await loadAdapter(
    model,
    options({ r: 1, initLoraWeights: 'loftq', targetModules: ['q_proj'] }),
    1,
  );
  const { weight } = LINEARS[0]!;
  const base = await model.read(weight);
  const rounded = adapter.replaced.get(weight)!.data;
  const adapted = base.map((number, index) => number + adapter.delta(weight, base)![index]!);
  assert.ok(distance(rounded, base) > 0);
  assert.ok(distance(adapted, base) < 0.9 * distance(rounded, base));
});

test('what cannot be is refused: more rank than a side, DoRA, corda', async () => {
  const code = (given: Record<string, unknown>): Promise<string> =>
    loadAdapter(tinyModel(), options(given), 1).then(
      () => 'none',
      (error: { code: string }) => error.code,
    );
  assert.is(await code({ r: 3, initLoraWeights: 'pissa' }), 'LMFLOW_LORA_RANK');
  const dora = { r: 1, initLoraWeights: 'olora', useDora: true };
  assert.is(await code(dora), 'LMFLOW_LORA_INITIALISATION');
  assert.is(await code({ r: 1, initLoraWeights: 'loftq' }), 'LMFLOW_LORA_INITIALISATION');
  assert.throws(
    () => options({ initLoraWeights: 'corda' }),
    /need data: initialise with them in PEFT/,
  );
});

test.run();
