// The floor of a step: the dense products of the linears and the head alone, in one program. Usage:
// matmuls.ts MODEL lora|full LENGTH RUNS
import { createKernel } from 'lmflow';
import { ENGINE } from '@lmflow/sdk';
import { cast, Graph, matMul, slice, type Value } from '@lmflow/sdk/graph';
import { SafetensorsFile } from '@lmflow/sdk/formats';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import { join } from 'node:path';

const [model = '', method = 'lora', lengthText = '512', runs = '5'] = process.argv.slice(2);
const length = Number(lengthText);
const file = await SafetensorsFile.open(join(model, 'model.safetensors'));
const graph = new Graph();
const rows = new Map<number, Value>();
const activation = (width: number): Value => {
  const known = rows.get(width) ?? graph.input(`x${width}`, 'float32', [length, width]);
  rows.set(width, known);
  return known;
};
const corner = (x: Value): Value => slice(x, [0, 0], [1, 1]);

for (const [name, { shape }] of file.tensors) {
  const isHead =
    name === 'lm_head.weight' ||
    (name === 'model.embed_tokens.weight' && !file.tensors.has('lm_head.weight'));
  if (shape.length !== 2 || (name === 'model.embed_tokens.weight' && !isHead)) continue;
  const source = file.weightSource(name)!;
  const inFeatures = shape[1]!;
  const weight = cast(graph.weight(name, source), 'float32');
  const products: Value[] = [];
  // The head in chunks of 128 rows, as every loss computes it.
  const chunks = isHead ? Math.ceil(length / 128) : 1;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const part = (x: Value): Value =>
      chunks === 1
        ? x
        : slice(x, [chunk * 128, 0], [Math.min(length, (chunk + 1) * 128), x.shape[1]!]);
    const forward = matMul(part(activation(inFeatures)), weight, { transposeB: true });
    products.push(forward, matMul(forward, weight));
    if (method === 'full') {
      products.push(matMul(forward, part(activation(inFeatures)), { transposeA: true }));
    }
  }
  products.forEach((product, index) => {
    graph.output(`${name}.${index}`, corner(product));
  });
}

const kernel = await createKernel({ plugins: [engineOnnx] });
const engine = kernel.resolve(ENGINE);
const program = await engine.compile(graph);
const inputs = Object.fromEntries(
  await Promise.all(
    [...rows].map(
      async ([width]) =>
        [
          `x${width}`,
          await engine.upload(
            new Float32Array(length * width).fill(0.01),
            [length, width],
            'float32',
          ),
        ] as const,
    ),
  ),
);
const seconds: number[] = [];
for (let run = 0; run < Number(runs) + 2; run++) {
  const start = performance.now();
  await program.run(inputs);
  if (run >= 2) seconds.push((performance.now() - start) / 1000);
}
process.stdout.write(
  `${JSON.stringify({ seconds: seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)] })}\n`,
);
await kernel.close();
