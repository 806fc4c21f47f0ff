// The op: its meaning and gradients in float64, and ONNX Runtime's lowering of both directions against the interpreter.
import { suite } from 'uvu';
import { createTestKernel } from 'lmflow/testing';
import engineOnnx, { LOWERINGS } from '@lmflow/plugin-engine-onnx';
import { ENGINE } from '@lmflow/sdk';
import { checkLowering, checkOp, checkOpLowering, type OpCheck } from '@lmflow/sdk/testing';
import { grad, Graph, interpret, mul, ndarray, sum } from '@lmflow/sdk/graph';
import * as assert from 'uvu/assert';
import { dequantize, quantize, sizesOf } from '../src/codes.ts';
import { lowerMatMulNf4 } from '../src/lowering.ts';
import { matMulNf4, matMulNf4Op, type MatMulNf4Attributes } from '../src/op.ts';

const cases = (['nf4', 'fp4'] as const).flatMap((quantType) => ([[4, 32], [8, 64], [6, 40], [5, 7], [96, 48]] as const).flatMap(([outFeatures, inFeatures]) => [true, false].map((transposeB) => {
  const { bytes, blocks } = sizesOf(outFeatures * inFeatures);
  return {
    name: `${quantType} ${outFeatures} x ${inFeatures} ${transposeB}`,
    attributes: { quantType, outFeatures, inFeatures, transposeB },
    inputs: { x: { shape: [3, transposeB ? inFeatures : outFeatures] }, packed: { shape: [bytes], dtype: 'uint8' as const, range: [0, 255] as const }, scales: { shape: [blocks], range: [0.5, 2] as const } },
  };
})));
const check: OpCheck<MatMulNf4Attributes> = { op: matMulNf4Op, cases };

const op = suite('matMulNf4');
const { kernel } = await createTestKernel({ plugins: [engineOnnx] });
const engine = kernel.resolve(ENGINE);

op('types, decomposition and gradients in float64', () => checkOp(check));

op('by its decomposition on the engine', () => checkOpLowering(engine, check));

op('by MatMulBnb4 on the engine, both directions', async () => {
  kernel.resolve(LOWERINGS).register(matMulNf4Op.name, lowerMatMulNf4);
  await checkOpLowering(engine, check);
});

op('a product with quantized numbers is the product with what they stand for, and so is its input gradient', async () => {
  const [outFeatures, inFeatures, rows] = [24, 80, 7];
  const numbers = Float32Array.from({ length: outFeatures * inFeatures }, (_, index) => Math.sin(index * 1.7) * Math.cos(index));
  const quantized = quantize(numbers, 'nf4');
  const known = dequantize(quantized, numbers.length, 'nf4');
  const graph = new Graph();
  const x = graph.input('x', 'float32', [rows, inFeatures]);
  const y = matMulNf4(x, {
    packed: graph.weight('packed', { kind: 'memory', dtype: 'uint8', shape: [quantized.packed.length], data: quantized.packed }),
    scales: graph.weight('scales', { kind: 'memory', dtype: 'float32', shape: [quantized.scales.length], data: quantized.scales }),
    quantType: 'nf4', outFeatures, inFeatures,
  }, true);
  graph.output('y', y);
  graph.output('dx', grad(sum(mul(y, y)), [x])[0]!);
  const inputs = { x: ndarray([rows, inFeatures], Float32Array.from({ length: rows * inFeatures }, (_, index) => Math.cos(index))) };
  const { y: found } = interpret(graph, inputs);
  for (let row = 0; row < rows; row++) for (let out = 0; out < outFeatures; out++) {
    let expected = 0;
    for (let k = 0; k < inFeatures; k++) expected += inputs.x.data[row * inFeatures + k]! * known[out * inFeatures + k]!;
    assert.ok(Math.abs(found!.data[row * outFeatures + out]! - expected) < 1e-5);
  }
  await checkLowering(engine, graph, inputs);
});

op.after(() => kernel.close());
op.run();
