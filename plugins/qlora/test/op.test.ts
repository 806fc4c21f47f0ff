// The ops: their meaning and gradients in float64, and ONNX Runtime's lowerings against the
// interpreter.
import { suite } from 'uvu';
import { createTestKernel } from 'lmflow/testing';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import models from '@lmflow/plugin-models';
import { ENGINE } from '@lmflow/sdk';
import { checkLowering, checkOp, checkOpLowering, type OpCheck } from '@lmflow/sdk/testing';
import { grad, Graph, interpret, mul, ndarray, sum } from '@lmflow/sdk/graph';
import * as assert from 'uvu/assert';
import { dequantize, quantize, sizesOf } from '../src/codes.ts';
import qlora from '../src/index.ts';
import { dequantizeNf4Op, matMulNf4, matMulNf4Op, type Nf4Attributes } from '../src/op.ts';

const sizes = (['nf4', 'fp4'] as const).flatMap((quantType) =>
  (
    [
      [4, 32],
      [8, 64],
      [6, 40],
      [5, 7],
      [96, 48],
    ] as const
  ).map(([outFeatures, inFeatures]) => {
    const { bytes, blocks } = sizesOf(outFeatures * inFeatures);
    return {
      name: `${quantType} ${outFeatures} x ${inFeatures}`,
      attributes: { quantType, outFeatures, inFeatures },
      weight: {
        packed: { shape: [bytes], dtype: 'uint8' as const, range: [0, 255] as const },
        scales: { shape: [blocks], range: [0.5, 2] as const },
      },
    };
  }),
);
const checks: readonly OpCheck<Nf4Attributes>[] = [
  {
    op: matMulNf4Op,
    cases: sizes.map(({ weight, ...rest }) => ({
      ...rest,
      inputs: { x: { shape: [3, rest.attributes.inFeatures] }, ...weight },
    })),
  },
  { op: dequantizeNf4Op, cases: sizes.map(({ weight, ...rest }) => ({ ...rest, inputs: weight })) },
];

const op = suite('matMulNf4');
const { kernel: plain } = await createTestKernel({ plugins: [engineOnnx] });
const { kernel } = await createTestKernel({ plugins: [engineOnnx, models, qlora] });
const engine = kernel.resolve(ENGINE);

for (const check of checks) {
  op(`${check.op.name}: types, decomposition and gradients in float64`, () => checkOp(check));
}

for (const check of checks) {
  op(`${check.op.name} by its decomposition on the engine`, () =>
    checkOpLowering(plain.resolve(ENGINE), check),
  );
}

op('by MatMulBnb4 on the engine', async () => {
  for (const check of checks) await checkOpLowering(engine, check);
});

op(
  'a product with quantized numbers is the product with what they stand for, and so is its input gradient',
  async () => {
    const [outFeatures, inFeatures, rows] = [24, 80, 7];
    const numbers = Float32Array.from(
      { length: outFeatures * inFeatures },
      (_, index) => Math.sin(index * 1.7) * Math.cos(index),
    );
    const quantized = quantize(numbers, 'nf4');
    const known = dequantize(quantized, numbers.length, 'nf4');
    const graph = new Graph();
    const x = graph.input('x', 'float32', [rows, inFeatures]);
    const y = matMulNf4(x, {
      packed: graph.weight('packed', {
        kind: 'memory',
        dtype: 'uint8',
        shape: [quantized.packed.length],
        data: quantized.packed,
      }),
      scales: graph.weight('scales', {
        kind: 'memory',
        dtype: 'float32',
        shape: [quantized.scales.length],
        data: quantized.scales,
      }),
      quantType: 'nf4',
      outFeatures,
      inFeatures,
    });
    graph.output('y', y);
    graph.output('dx', grad(sum(mul(y, y)), [x])[0]!);
    const inputs = {
      x: ndarray(
        [rows, inFeatures],
        Float32Array.from({ length: rows * inFeatures }, (_, index) => Math.cos(index)),
      ),
    };
    const { y: found } = interpret(graph, inputs);
    for (let row = 0; row < rows; row++) {
      for (let out = 0; out < outFeatures; out++) {
        let expected = 0;
        for (let k = 0; k < inFeatures; k++) {
          expected += inputs.x.data[row * inFeatures + k]! * known[out * inFeatures + k]!;
        }
        assert.ok(Math.abs(found!.data[row * outFeatures + out]! - expected) < 1e-5);
      }
    }
    await checkLowering(engine, graph, inputs);
  },
);

op.after(() => Promise.all([plain.close(), kernel.close()]).then(() => undefined));
op.run();
