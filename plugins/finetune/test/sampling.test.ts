// Tokens drawn inside a program: the inverse of the cumulative distribution, interpreted and by the
// onnx engine; and the loss with drawn labels.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, type Engine } from '@lmflow/sdk';
import { Graph, interpret, ndarray } from '@lmflow/sdk/graph';
import { createTestKernel } from 'lmflow/testing';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import { sampledTokens } from '../src/sampling.ts';

const { kernel } = await createTestKernel({ plugins: [engineOnnx()] });
const noise = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) =>
    Math.sin(12.9898 * (index + 1) + 78.233 * seed),
  );

interface Drawing {
  readonly rows: number;
  readonly size: number;
  readonly hidden: Float32Array;
  readonly weight: Float32Array;
  readonly uniform: Float32Array;
}
const WIDTH = 3;

async function draw(
  { rows, size, hidden, weight, uniform }: Drawing,
  engine?: Engine,
): Promise<number[]> {
  const graph = new Graph();
  const tokens = sampledTokens(
    graph.input('hidden', 'float32', [rows, WIDTH]),
    graph.input('weight', 'float32', [size, WIDTH]),
    graph.input('uniform', 'float32', [rows]),
  );
  graph.output('tokens', tokens);
  if (!engine) {
    return [
      ...interpret(graph, {
        hidden: ndarray([rows, WIDTH], hidden),
        weight: ndarray([size, WIDTH], weight),
        uniform: ndarray([rows], uniform),
      })['tokens']!.data,
    ];
  }
  const program = await engine.compile(graph);
  const given = {
    hidden: await engine.upload(hidden, [rows, WIDTH], 'float32'),
    weight: await engine.upload(weight, [size, WIDTH], 'float32'),
    uniform: await engine.upload(uniform, [rows], 'float32'),
  };
  const found = [...((await (await program.run(given))['tokens']!.read()) as Int32Array)];
  await program.dispose();
  return found;
}

/** softmax(hidden weight^T) of a row, in float64. */
function probabilities({ size, hidden, weight }: Drawing, row: number): number[] {
  const logits = Array.from({ length: size }, (_, token) =>
    [0, 1, 2].reduce(
      (total, at) => total + hidden[row * WIDTH + at]! * weight[token * WIDTH + at]!,
      0,
    ),
  );
  const top = Math.max(...logits);
  const raised = logits.map((logit) => Math.exp(logit - top));
  const total = raised.reduce((one, other) => one + other, 0);
  return raised.map((one) => one / total);
}

for (const [size, rows] of [
  [2, 600],
  [255, 40],
  [256, 40],
  [600, 30],
  [9000, 600],
] as const) {
  // 600 rows are more than one chunk
  for (const way of ['interpreter', 'onnx'] as const) {
    if (way === 'interpreter' && size * rows > 20_000) continue; // slow
    test(`${size} tokens, ${way}: the token at which the cumulative probability passes the number`, async () => {
      const uniform = noise(rows, 5).map((one) => Math.abs(one) * 0.999);
      uniform.set([0, 1 - 2 ** -24], 0);
      const drawing = {
        rows,
        size,
        hidden: noise(rows * WIDTH, 1).map((one) => 3 * one),
        weight: noise(size * WIDTH, 2),
        uniform,
      };
      const tokens = await draw(drawing, way === 'onnx' ? kernel.resolve(ENGINE) : undefined);
      for (const [row, token] of tokens.entries()) {
        const sums = probabilities(drawing, row);
        for (let index = 1; index < size; index++) sums[index]! += sums[index - 1]!;
        const wanted = Math.min(
          size - 1,
          sums.findIndex((sum) => sum > uniform[row]!),
        );
        // a number on the border of two tokens may fall to either
        const between = [token === 0 ? 0 : sums[token - 1]!, sums[token]!];
        assert.ok(
          token === wanted ||
            (uniform[row]! > between[0]! - 2e-6 && uniform[row]! < between[1]! + 2e-6),
          `row ${row}: ${token}, not ${wanted}`,
        );
      }
    });
  }
}

test('over all numbers each token comes as often as its probability says', async () => {
  const [rows, size] = [4000, 300];
  const [one, weight] = [Float32Array.of(2, -1, 1), noise(size * WIDTH, 3)];
  const drawing = {
    rows,
    size,
    hidden: Float32Array.from({ length: rows * WIDTH }, (_, index) => one[index % WIDTH]!),
    weight,
    uniform: Float32Array.from({ length: rows }, (_, row) => (row + 0.5) / rows),
  };
  const counts = new Array<number>(size).fill(0);
  for (const token of await draw(drawing, kernel.resolve(ENGINE))) counts[token]!++;
  probabilities(drawing, 0).forEach((probability, token) => {
    assert.ok(
      Math.abs(counts[token]! - rows * probability) <= 1.01,
      `token ${token}: ${counts[token]} of ${rows * probability}`,
    );
  });
});

test.after(() => kernel.close());
test.run();
