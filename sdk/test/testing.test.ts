// The test kit itself: a third party's op passes, and every kind of mistake is found and named.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine } from '@lmflow/sdk';
import {
  applyOne,
  defineOp,
  exp,
  Graph,
  interpret,
  matMul,
  mul,
  ndarray,
  relu,
  rmsNorm,
  type Attributes,
  type NdArray,
  type OpDefinition,
  type Value,
} from '@lmflow/sdk/graph';
import {
  checkGradient,
  checkLowering,
  checkOp,
  checkOpLowering,
  randomInputs,
  type OpCheck,
} from '@lmflow/sdk/testing';

type Cap = { readonly cap: number };

/** An op as a plugin would define it, with everything an op can have. */
const squareOf: OpDefinition = {
  name: '@third/party/square',
  infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  evaluate: ([x]) => [{ shape: x!.shape, data: x!.data.map((number) => number * number) }],
  decompose: ([x]) => [mul(x!, x!)],
  gradient: (node, [gradient]) => [mul(mul(gradient!, node.inputs[0]!), 2)],
};
const cases = [{ inputs: { x: { shape: [2, 3] } } }, { inputs: { x: { shape: [] } } }];
const square = (changes: Partial<OpDefinition>): OpCheck => ({
  op: defineOp({ ...squareOf, ...changes }),
  cases,
});

test("a third party's op: everything, only decompose(), only evaluate() and gradient()", () => {
  checkOp(square({}));
  checkOp(square({ evaluate: undefined, gradient: undefined }));
  checkOp(square({ evaluate: undefined }));
  checkOp(square({ decompose: undefined }));
});

test("a third party's op with attributes and by-products", () => {
  const expOp = defineOp<Cap>({
    name: '@third/party/scaledExp',
    infer: ([x]) => [x!, x!].map(({ dtype, shape }) => ({ dtype, shape })),
    results: 1,
    decompose: ([x], { cap }) => {
      const inner = exp(x!);
      return [mul(inner, cap), inner];
    },
    gradient: (node, [gradient]) => [mul(mul(gradient!, node.outputs[1]!), node.attributes.cap)],
  });
  checkOp({ op: expOp, cases: [{ inputs: { x: { shape: [3] } }, attributes: { cap: 0.5 } }] });
});

const mistakes: readonly (readonly [string, Partial<OpDefinition>, RegExp])[] = [
  [
    'a wrong gradient',
    { gradient: (node, [gradient]) => [mul(gradient!, node.inputs[0]!)] },
    /op "@third\/party\/square", case float32\[2, 3\]: gradient of "x" \[2, 3\] at \[\d, \d\]: -?[\d.]+ by grad\(\), -?[\d.]+ by finite differences/,
  ],
  ['a missing gradient', { gradient: () => [undefined] }, /gradient of "x".* 0 by grad\(\)/],
  [
    'a gradient of another shape',
    { gradient: (node) => [node.inputs[0]!.graph.scalar(1)] },
    /is float32\[\] for input 0, which is float32\[2, 3\]/,
  ],
  [
    'a wrong decomposition',
    { decompose: ([x]) => [mul(mul(x!, x!), 1.5)] },
    /output 0 \[2, 3\] at \[0, 0\]: .* by evaluate\(\), .* by decompose\(\)/,
  ],
  [
    'a decomposition of another type',
    { decompose: ([x]) => [matMul(x!, x!, { transposeB: true })] },
    /output 0 is float32\[2, 2\] by decompose\(\), float32\[2, 3\] by infer\(\)/,
  ],
  [
    'a result of another shape',
    { evaluate: () => [ndarray([1])] },
    /output 0 is \[1\] with 1 numbers, by infer\(\) float32\[2, 3\]/,
  ],
  [
    'NaN',
    { evaluate: ([x]) => [{ shape: x!.shape, data: x!.data.map(() => NaN) }] },
    /output 0 has NaN/,
  ],
];

for (const [mistake, changes, message] of mistakes) {
  test(`checkOp finds ${mistake}`, () => {
    assert.throws(() => checkOp(square(changes)), message);
  });
}

test('checkOp refuses no cases, and a case without the op', () => {
  assert.throws(() => checkOp({ op: squareOf, cases: [] }), /there are no cases/);
  assert.throws(
    () =>
      checkOp({
        op: squareOf,
        cases: [{ ...cases[0]!, build: ({ x }: Record<string, Value>) => exp(x!) }],
      }),
    /does not apply the op/,
  );
});

test('checkGradient finds a kink, and takes several results', () => {
  checkGradient(({ x }) => [relu(x!), exp(x!)], { x: { shape: [4], range: [0.1, 1] } });
  assert.throws(
    () =>
      checkGradient(
        ({ x }) => relu(x!),
        { x: { shape: [2], values: [0.5, 0] } },
        { name: 'at the kink' },
      ),
    /^at the kink: gradient of "x" \[2\] at \[1\]/,
  );
  assert.throws(
    () => checkGradient(({ i }) => i!, { i: { shape: [2], dtype: 'int32' } }),
    /none of the results is a float/,
  );
});

test('randomInputs are the same for the same seed and name, and inside their range', () => {
  const inputs = {
    x: { shape: [50], range: [2, 3] },
    i: { shape: [200], dtype: 'int32', range: [1, 3] },
    b: { shape: [50], dtype: 'bool' },
  } as const;
  const [first, again, other] = [
    randomInputs(inputs, 1),
    randomInputs(inputs, 1),
    randomInputs(inputs, 2),
  ];
  assert.equal(first, again);
  assert.not.equal(first, other);
  assert.ok(
    first.x!.data.every((number) => number >= 2 && number <= 3 && Math.fround(number) === number),
  );
  assert.equal(
    new Set(first.i!.data),
    new Set(first.i!.data.filter((number) => [1, 2, 3].includes(number))),
  );
  assert.is(new Set(first.i!.data).size, 3);
  assert.is(new Set(first.b!.data).size, 2);
});

/** An engine that is the interpreter, rounded to float32, with a flaw. */
function engine(flaw: (output: string, array: NdArray) => NdArray): Engine {
  const tensor = (dtype: 'float32' | 'int32' | 'bool', { shape, data }: NdArray) => ({
    dtype,
    shape,
    location: 'cpu',
    read: async () => Float32Array.from(data),
    dispose: () => undefined,
  });
  return {
    name: 'pretend',
    device: 'cpu',
    devices: async () => [],
    upload: async (data, shape, dtype) =>
      tensor(dtype as 'float32', ndarray(shape, data as Float32Array)),
    compile: async (graph) => ({
      run: async (inputs) => {
        const arrays = await Promise.all(
          Object.entries(inputs).map(
            async ([name, input]) =>
              [name, ndarray(input.shape, (await input.read()) as Float32Array)] as const,
          ),
        );
        const results = interpret(graph, Object.fromEntries(arrays));
        return Object.fromEntries(
          Object.entries(results).map(([name, array]) => [
            name,
            tensor(graph.outputs.get(name)!.dtype as 'float32', flaw(name, array)),
          ]),
        );
      },
      dispose: async () => undefined,
    }),
  };
}

test('checkLowering and checkOpLowering compare an engine with the interpreter', async () => {
  const graph = new Graph();
  graph.output(
    'y',
    rmsNorm(graph.input('x', 'float32', [2, 3]), graph.input('w', 'float32', [3]), 1e-5),
  );
  const numbers = randomInputs({ x: { shape: [2, 3] }, w: { shape: [3] } });
  await checkLowering(
    engine((_name, array) => array),
    graph,
    numbers,
  );
  await checkOpLowering(
    engine((_name, array) => array),
    square({}),
  );
  await rejects(
    checkLowering(
      engine((_name, { shape, data }) => ({ shape, data: data.map((x) => x * 1.001) })),
      graph,
      numbers,
    ),
    /output "y" \[2, 3\] at \[\d, \d\]: .* by pretend, .* by the interpreter/,
  );
  const flawed = engine((name, { shape, data }) => ({
    shape,
    data: data.map((x) => (name.startsWith('gradient') ? x + 1 : x)),
  }));
  await rejects(
    checkOpLowering(flawed, square({})),
    /op "@third\/party\/square", case float32\[2, 3\], with gradients: output "gradient of "x""/,
  );
});

async function rejects(promise: Promise<void>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error, 'nothing was thrown');
  assert.match(error.message, message);
}

test('attributes are typed', () => {
  const op = defineOp<Cap>({ name: 'typed', infer: ([x]) => [x!], evaluate: ([x]) => [x!] });
  const x = new Graph().input('x', 'float32', [1]);
  applyOne(op, [x], { cap: 1 });
  // @ts-expect-error the attribute is missing
  applyOne<Cap>(op, [x], {});
  const general: OpDefinition<Attributes> = squareOf;
  assert.is(general.name, '@third/party/square');
});

test.run();
