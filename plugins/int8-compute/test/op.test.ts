// The op in float64, its gradient, and ONNX Runtime's lowering: against the recipe computed by
// hand, and near the exact product.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import models from '@lmflow/plugin-models';
import { ENGINE, randomStream, type Program } from '@lmflow/sdk';
import { checkGradient, checkLowering } from '@lmflow/sdk/testing';
import { grad, Graph, interpret, matMul, mul, ndarray, sum, type Value } from '@lmflow/sdk/graph';
import { agreement } from '../src/check.ts';
import plugin from '../src/index.ts';
import { matMulInt8, type Direction } from '../src/op.ts';
import { quantizeBoth, type Int8Matrix } from '../src/quantize.ts';

const op = suite('matMulInt8');
const { kernel: plain } = await createTestKernel({ plugins: [engineOnnx] });
const { kernel } = await createTestKernel({ plugins: [engineOnnx, models, plugin] });
const engine = kernel.resolve(ENGINE);

const random = (count: number, ...name: string[]): Float32Array => {
  const stream = randomStream(1, ...name);
  return Float32Array.from({ length: count }, (_, index) => stream.normal(index));
};
const direction = (graph: Graph, { codes, scales, rows, columns }: Int8Matrix): Direction => ({
  codes: graph.constant(codes, [rows, columns], 'int8'),
  scales: graph.constant(scales, [columns], 'float32'),
});
/** x W^T for W [rows, columns]. */
const product = (x: Value, weight: Float32Array, rows: number, columns: number): Value => {
  const { asStored, transposed } = quantizeBoth(weight, rows, columns);
  return matMulInt8(x, direction(x.graph, transposed), direction(x.graph, asStored));
};

op('both directions have a scale for each of their columns', () => {
  const { asStored, transposed } = quantizeBoth(Float32Array.of(127, -2.1, 0, 0.5, 4, 0), 2, 3);
  assert.equal([...asStored.codes], [127, -67, 0, 1, 127, 0]);
  assert.equal([...asStored.scales], [1, Math.fround(4 / 127), 0]);
  assert.equal([...transposed.codes], [127, 16, -2, 127, 0, 0]);
  assert.equal([transposed.rows, transposed.columns], [3, 2]);
});

op('the input gradient is the product with the other copy', () => {
  // Whole numbers up to 127 in every row and column: both copies are exact, so that finite
  // differences agree.
  const weight = Float32Array.of(127, -3, 50, 8, 127, 1, -20, 33, 127);
  checkGradient(({ x }) => product(x!, weight, 3, 3), { x: { shape: [4, 3] } });
});

op('decomposed, on an engine without the lowering', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [5, 12]);
  const y = product(x, random(96, 'w'), 8, 12);
  graph.output('y', y);
  graph.output('dx', grad(sum(mul(y, y)), [x])[0]!);
  const inputs = { x: ndarray([5, 12], random(60, 'x')) };
  await checkLowering(plain.resolve(ENGINE), graph, inputs);
});

op(
  'the engine rounds each row to 8 bits: as computed by hand, and near the exact product',
  async () => {
    const [rows, inFeatures, outFeatures] = [9, 64, 40];
    const weight = random(inFeatures * outFeatures, 'w');
    const numbers = random(rows * inFeatures, 'x').map(
      (number, index) => number * 10 ** (Math.floor(index / inFeatures) - 4),
    ); // rows of very different size
    numbers.fill(0, 0, inFeatures);
    const graph = new Graph();
    const x = graph.input('x', 'float32', [rows, inFeatures]);
    graph.output('y', product(x, weight, outFeatures, inFeatures));
    const program: Program = await engine.compile(graph);
    const found = (await (
      await program.run({ x: await engine.upload(numbers, [rows, inFeatures], 'float32') })
    )['y']!.read()) as Float32Array;
    const expected = byHand(
      numbers,
      quantizeBoth(weight, outFeatures, inFeatures).transposed,
      rows,
    );
    const exact = exactly(numbers, weight, rows, outFeatures, inFeatures);
    for (let row = 0; row < rows; row++) {
      const part = (array: Float32Array): Float32Array =>
        array.subarray(row * outFeatures, (row + 1) * outFeatures);
      const largest = part(exact).reduce((sofar, number) => Math.max(sofar, Math.abs(number)), 0);
      part(expected).forEach((number, index) =>
        assert.ok(
          Math.abs(number - part(found)[index]!) <= 0.002 * largest,
          `row ${row}: ${number} by hand, ${part(found)[index]} by the engine`,
        ),
      );
      if (row === 0) {
        assert.ok(
          part(found).every((number) => number === 0),
          'a row of zeros stays zero',
        );
      } else {
        assert.ok(
          agreement(new Map([['', part(found)]]), new Map([['', part(exact)]])).cosine! > 0.9997,
          `row ${row}`,
        );
      }
    }
    await program.dispose();
  },
);

op('the gradient on the engine is near the exact one', async () => {
  const [rows, inFeatures, outFeatures] = [16, 48, 72];
  const weight = random(inFeatures * outFeatures, 'w');
  const both = [true, false].map((int8) => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [rows, inFeatures]);
    const y = int8
      ? product(x, weight, outFeatures, inFeatures)
      : matMul(x, graph.constant(weight, [outFeatures, inFeatures], 'float32'), {
          transposeB: true,
        });
    graph.output('dx', grad(sum(mul(y, y)), [x])[0]!);
    return graph;
  });
  const numbers = random(rows * inFeatures, 'x');
  const program = await engine.compile(both[0]!);
  const found = (await (
    await program.run({ x: await engine.upload(numbers, [rows, inFeatures], 'float32') })
  )['dx']!.read()) as Float32Array;
  const exact = Float32Array.from(
    interpret(both[1]!, { x: ndarray([rows, inFeatures], numbers) })['dx']!.data,
  );
  assert.ok(agreement(new Map([['dx', found]]), new Map([['dx', exact]])).cosine! > 0.9995);
});

/**
 * The recipe: rows divided by their largest magnitude, 8 bits with one scale and zero point for the
 * whole of them, whole-number products.
 */
function byHand(
  x: Float32Array,
  { codes, scales, rows: inner, columns }: Int8Matrix,
  rows: number,
): Float32Array {
  const largest = Array.from({ length: rows }, (_, row) =>
    x
      .subarray(row * inner, (row + 1) * inner)
      .reduce((sofar, number) => Math.max(sofar, Math.abs(number)), 1e-30),
  );
  const scaled = x.map((number, index) => number / largest[Math.floor(index / inner)]!);
  const [low, high] = scaled.reduce(
    ([a, b], number) => [Math.min(a, number), Math.max(b, number)],
    [0, 0] as [number, number],
  );
  const scale = (high - low) / 255;
  const zero = Math.round(-low / scale);
  return Float32Array.from({ length: rows * columns }, (_, place) => {
    const [row, column] = [Math.floor(place / columns), place % columns];
    let total = 0;
    for (let k = 0; k < inner; k++) {
      total +=
        (Math.max(0, Math.min(255, Math.round(scaled[row * inner + k]! / scale) + zero)) - zero) *
        codes[k * columns + column]!;
    }
    return total * scale * scales[column]! * largest[row]!;
  });
}

function exactly(
  x: Float32Array,
  weight: Float32Array,
  rows: number,
  outFeatures: number,
  inFeatures: number,
): Float32Array {
  return Float32Array.from({ length: rows * outFeatures }, (_, place) => {
    const [row, out] = [Math.floor(place / outFeatures), place % outFeatures];
    let total = 0;
    for (let k = 0; k < inFeatures; k++) {
      total += x[row * inFeatures + k]! * weight[out * inFeatures + k]!;
    }
    return total;
  });
}

op.after(() => Promise.all([plain.close(), kernel.close()]).then(() => undefined));
op.run();
