// The op: its meaning and gradients in float64, and ONNX Runtime's MatMulNBits against the
// interpreter, exact with float activations and near with int8 ones.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import models from '@lmflow/plugin-models';
import { ENGINE, randomStream } from '@lmflow/sdk';
import { checkOp, checkOpLowering, type OpCheck } from '@lmflow/sdk/testing';
import { Graph } from '@lmflow/sdk/graph';
import { blockSizes, dequantize, quantize, type Bits, type Scheme } from '../src/blocks.ts';
import plugin from '../src/index.ts';
import { matMulNBits, matMulNBitsOp, type MatMulNBitsAttributes } from '../src/op.ts';

const sizes = [
  [4, 32, 16],
  [6, 40, 16],
  [5, 70, 32],
  [3, 17, 16],
] as const;
const cases = ([4, 8] as const).flatMap((bits) =>
  sizes.flatMap(([outFeatures, inFeatures, blockSize]) =>
    [true, false].map((symmetric) => {
      const { blocks, blob, zeros } = blockSizes(inFeatures, { bits, blockSize, symmetric });
      return {
        name: `${bits} bits, ${outFeatures} x ${inFeatures}, blocks of ${blockSize}${symmetric ? '' : ', zero points'}`,
        attributes: { bits, blockSize, inFeatures, outFeatures, activations: 'float' as const },
        inputs: {
          x: { shape: [3, inFeatures] },
          packed: {
            shape: [outFeatures, blocks, blob],
            dtype: 'uint8' as const,
            range: [0, 255] as const,
          },
          scales: { shape: [outFeatures, blocks], range: [0.01, 0.02] as const },
          ...(symmetric
            ? {}
            : {
                zeroPoints: {
                  shape: [outFeatures, zeros],
                  dtype: 'uint8' as const,
                  range: [0, 255] as const,
                },
              }),
        },
      };
    }),
  ),
);
const check: OpCheck<MatMulNBitsAttributes> = { op: matMulNBitsOp, cases };

const op = suite('matMulNBits');
const { kernel: plain } = await createTestKernel({ plugins: [engineOnnx] });
const { kernel } = await createTestKernel({ plugins: [engineOnnx, models, plugin] });
const engine = kernel.resolve(ENGINE);

op('types, decomposition and gradients in float64', () => checkOp(check));

op('by its decomposition on the engine', () => checkOpLowering(plain.resolve(ENGINE), check));

op('by MatMulNBits on the engine', async () => {
  await checkOpLowering(engine, check);
});

/** y of the engine, and in float64 from the numbers that the codes stand for. */
async function product(
  scheme: Scheme,
  activations: 'int8' | 'float',
  rows: number,
): Promise<{ readonly found: Float32Array; readonly expected: Float64Array }> {
  const [outFeatures, inFeatures] = [24, 112];
  const normal = (count: number, what: string): Float32Array =>
    Float32Array.from({ length: count }, (_, index) => randomStream(1, what).normal(index));
  const [weight, numbers] = [
    normal(outFeatures * inFeatures, 'weight'),
    normal(rows * inFeatures, 'x'),
  ];
  const { packed, scales, zeroPoints } = quantize(weight, outFeatures, inFeatures, scheme);
  const { blocks, blob, zeros } = blockSizes(inFeatures, scheme);
  const graph = new Graph();
  const x = graph.input('x', 'float32', [rows, inFeatures]);
  graph.output(
    'y',
    matMulNBits(
      x,
      {
        packed: graph.constant(packed, [outFeatures, blocks, blob], 'uint8'),
        scales: graph.constant(scales, [outFeatures, blocks], 'float32'),
        zeroPoints: zeroPoints && graph.constant(zeroPoints, [outFeatures, zeros], 'uint8'),
        bits: scheme.bits,
        blockSize: scheme.blockSize,
        inFeatures,
        outFeatures,
      },
      activations,
    ),
  );
  const program = await engine.compile(graph);
  const { y } = await program.run({
    x: await engine.upload(numbers, [rows, inFeatures], 'float32'),
  });
  const known = dequantize(
    { packed, scales, ...(zeroPoints ? { zeroPoints } : {}) },
    outFeatures,
    inFeatures,
    scheme,
  );
  const expected = Float64Array.from({ length: rows * outFeatures }, (_, place) => {
    let sum = 0;
    for (let k = 0; k < inFeatures; k++) {
      sum +=
        numbers[Math.floor(place / outFeatures) * inFeatures + k]! *
        known[(place % outFeatures) * inFeatures + k]!;
    }
    return sum;
  });
  const found = Float32Array.from((await y!.read()) as Float32Array);
  await program.dispose();
  return { found, expected };
}

const norm = (numbers: Float64Array): number =>
  Math.sqrt(numbers.reduce((sum, number) => sum + number * number, 0));

for (const bits of [4, 8] as readonly Bits[]) {
  for (const blockSize of [16, 32, 64]) {
    for (const symmetric of [true, false]) {
      for (const rows of [1, 5, 40]) {
        op(
          `quantized constants: ${bits} bits, blocks of ${blockSize}, ${symmetric ? 'symmetric' : 'zero points'}, ${rows} rows`,
          async () => {
            const exact = await product({ bits, blockSize, symmetric }, 'float', rows);
            exact.found.forEach((number, index) =>
              assert.ok(
                Math.abs(number - exact.expected[index]!) < 2e-5,
                `${index}: ${number}, expected ${exact.expected[index]}`,
              ),
            );
            const { found, expected } = await product({ bits, blockSize, symmetric }, 'int8', rows);
            const apart =
              norm(expected.map((number, index) => number - found[index]!)) / norm(expected);
            assert.ok(apart < 0.01, `int8 activations: relative error ${apart}`);
          },
        );
      }
    }
  }
}

op.after(() => Promise.all([plain.close(), kernel.close()]).then(() => undefined));
op.run();
