// AdamW over 32 Mi elements: a plain JavaScript loop, and the engine in chunks with results written
// in place. Says ns per element.
//   node --conditions=lmflow-source --import tsx plugins/engine-onnx/bench/adamw.ts
import { add, div, Graph, mul, sqrt, sub, type Value } from '@lmflow/sdk/graph';
import type { Tensor } from '@lmflow/sdk';
import { OnnxEngine } from '../src/engine.ts';
import { createLowerings } from '../src/lowerings/index.ts';
import { schema } from '../src/options.ts';

const size = 1 << 25;
const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
const names = ['parameter', 'gradient', 'first', 'second'] as const;
const arrays = Object.fromEntries(
  names.map((name) => [name, new Float32Array(size).fill(0.01)]),
) as Record<(typeof names)[number], Float32Array>;
const engine = new OnnxEngine({
  options: schema.parse({}),
  device: 'cpu',
  lowerings: createLowerings(),
});

function loop(rate: number, decay: number, scale: number): void {
  const { parameter, gradient, first, second } = arrays;
  for (let index = 0; index < size; index++) {
    const g = gradient[index]! * scale;
    const m = (first[index] = beta1 * first[index]! + (1 - beta1) * g);
    const v = (second[index] = beta2 * second[index]! + (1 - beta2) * g * g);
    parameter[index] = parameter[index]! * decay - (rate * m) / (Math.sqrt(v) + epsilon);
  }
}

/** The same in float32 throughout. */
function singleLoop(rate: number, decay: number, scale: number): void {
  const { parameter, gradient, first, second } = arrays;
  const single = Math.fround;
  const [b1, c1, b2, c2, e, r, d, s] = [
    beta1,
    1 - beta1,
    beta2,
    1 - beta2,
    epsilon,
    rate,
    decay,
    scale,
  ].map(single) as [number, number, number, number, number, number, number, number];
  for (let index = 0; index < size; index++) {
    const g = single(gradient[index]! * s);
    const m = single(single(b1 * first[index]!) + single(c1 * g));
    const v = single(single(b2 * second[index]!) + single(c2 * single(g * g)));
    first[index] = m;
    second[index] = v;
    parameter[index] = single(
      single(parameter[index]! * d) - single(single(r * m) / single(single(Math.sqrt(v)) + e)),
    );
  }
}

/** Runs the update in chunks; the tensors are made once. */
async function chunked(chunk: number): Promise<() => Promise<void>> {
  const graph = new Graph();
  const input = (name: string): Value => graph.input(name, 'float32', [chunk]);
  const scalar = (name: string): Value => graph.input(name, 'float32', []);
  const g = mul(input('gradient'), scalar('scale'));
  const m = add(mul(input('first'), beta1), mul(g, 1 - beta1));
  const v = add(mul(input('second'), beta2), mul(mul(g, g), 1 - beta2));
  graph.output('first', m);
  graph.output('second', v);
  graph.output(
    'parameter',
    sub(
      mul(input('parameter'), scalar('decay')),
      div(mul(m, scalar('rate')), add(sqrt(v), epsilon)),
    ),
  );
  const program = await engine.compile(graph, { name: `adamw ${chunk}` });
  const scalars = Object.fromEntries(
    await Promise.all(
      Object.entries({ rate: 1e-3, decay: 0.999, scale: 0.5 }).map(
        async ([name, number]) =>
          [name, await engine.upload(Float32Array.of(number), [], 'float32')] as const,
      ),
    ),
  );
  const parts: Record<string, Tensor>[] = [];
  for (let start = 0; start < size; start += chunk) {
    const part: Record<string, Tensor> = { ...scalars };
    for (const name of names) {
      part[name] = await engine.upload(
        arrays[name].subarray(start, start + chunk),
        [chunk],
        'float32',
      );
    }
    parts.push(part);
  }
  return async () => {
    for (const part of parts) {
      await program.run(part, {
        first: part['first']!,
        second: part['second']!,
        parameter: part['parameter']!,
      });
    }
  };
}

async function report(name: string, run: () => unknown): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < 6; round++) {
    const start = performance.now();
    await run();
    times.push(((performance.now() - start) * 1e6) / size);
  }
  times.sort((a, b) => a - b);
  process.stdout.write(
    `${name.padEnd(24)} median ${times[3]!.toFixed(2)} best ${times[0]!.toFixed(2)} ns per element\n`,
  );
}

await report('JavaScript loop', () => {
  loop(1e-3, 0.999, 0.5);
});
await report('JavaScript loop, single', () => {
  singleLoop(1e-3, 0.999, 0.5);
});
for (const chunk of [1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 20, size]) {
  await report(`engine, ${chunk} at once`, await chunked(chunk));
}
await report('JavaScript loop', () => {
  loop(1e-3, 0.999, 0.5);
});
await engine.dispose();
