// Memory and time of one attention layer, forward and backward, against the length: flash attention
// beside the plain one, which keeps its probabilities. Each memory figure is that of a process of
// its own; times are those of interleaved runs. Usage:
// node --conditions=lmflow-source --import tsx test/bench/attention.ts [LENGTH...] [--svg FILE]
// [--pairs N] [--timed LONGEST]
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createTestKernel } from 'lmflow/testing';
import { ENGINE, randomStream, type Engine, type Tensor, type TensorMap } from '@lmflow/sdk';
import { attention, grad, Graph, mul, sizeOf, sum, type Value } from '@lmflow/sdk/graph';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import flash, { flashAttention } from '@lmflow/plugin-flash-attention';
import models from '@lmflow/plugin-models';
import { plot } from './plot.ts';

const [heads, groups, width] = [8, 4, 64];
const KINDS = ['flash', 'plain'] as const;
type Kind = (typeof KINDS)[number];
/**
 * Beyond these lengths a kind is not run: the plain one would need more memory than small machines
 * have.
 */
const LONGEST: Readonly<Record<Kind, number>> = { flash: Infinity, plain: 8192 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    svg: { type: 'string' },
    memory: { type: 'string' },
    pairs: { type: 'string', default: '5' },
    timed: { type: 'string', default: '8192' },
  },
});

/** Compiles the layer with its gradients; gives a function that runs it. */
async function layer(engine: Engine, kind: Kind, length: number): Promise<() => Promise<void>> {
  const graph = new Graph();
  const input = (name: string, count: number): Value =>
    graph.input(name, 'float32', [1, length, count, width]);
  const [q, k, v] = [input('q', heads), input('k', groups), input('v', groups)];
  const loss = sum(
    mul(
      kind === 'flash' ? flashAttention({ q, k, v }) : attention({ q, k, v }),
      input('weights', heads),
    ),
  );
  graph.output('loss', loss);
  grad(loss, [q, k, v]).forEach((gradient, index) => {
    graph.output(`gradient ${index}`, gradient);
  });
  const program = await engine.compile(graph);
  const inputs: Record<string, Tensor> = {};
  for (const [name, { shape }] of graph.inputs) {
    const random = randomStream(1, name);
    inputs[name] = await engine.upload(
      Float32Array.from({ length: sizeOf(shape) }, (_, index) => 2 * random.uniform(index) - 1),
      shape,
      'float32',
    );
  }
  let outputs: TensorMap = {};
  return async () => {
    outputs = await program.run(inputs, outputs);
  };
}

/** MB that two runs add to the process at their peak. */
async function memory(engine: Engine, kind: Kind, length: number): Promise<number> {
  const run = await layer(engine, kind, length);
  const before = process.memoryUsage.rss();
  await run();
  await run();
  return (process.resourceUsage().maxRSS * 1024 - before) / 1e6;
}

/** The median microseconds per token of each kind, over pairs of runs that take turns. */
async function times(engine: Engine, length: number): Promise<Partial<Record<Kind, number>>> {
  const sides = await Promise.all(
    KINDS.filter((kind) => length <= LONGEST[kind]).map(async (kind) => ({
      kind,
      run: await layer(engine, kind, length),
      taken: [] as number[],
    })),
  );
  for (let pair = 0; pair <= Number(values.pairs); pair++) {
    for (const { run, taken } of sides) {
      const start = performance.now();
      await run();
      if (pair > 0) taken.push(((performance.now() - start) * 1000) / length);
    }
  }
  return Object.fromEntries(
    sides.map(({ kind, taken }) => [kind, taken.sort((a, b) => a - b)[taken.length >> 1]!]),
  );
}

const { kernel } = await createTestKernel({ plugins: [engineOnnx, models, flash] });
const engine = kernel.resolve(ENGINE);
if (values.memory) {
  const [kind, length] = values.memory.split(',') as [Kind, string];
  process.stdout.write(`${await memory(engine, kind, Number(length))}\n`);
  process.exit(0);
}

const lengths =
  positionals.length > 0 ? positionals.map(Number) : [512, 1024, 2048, 4096, 8192, 16384];
const measured: Record<Kind, (readonly [number, number])[]> = { flash: [], plain: [] };
const shown = (number: number | undefined, places = 0): string =>
  number === undefined ? '-' : number.toFixed(places);
process.stdout.write(
  `one layer, ${heads} heads on ${groups} key heads of ${width}, forward and backward\n\n| length | flash MB | plain MB | flash us/token | plain us/token | plain / flash |\n|---|---|---|---|---|---|\n`,
);
// All memory before any time: a child begins with the peak of the process that it is forked from.
for (const length of lengths) {
  for (const kind of KINDS.filter((one) => length <= LONGEST[one])) {
    const child = spawnSync(
      process.execPath,
      [...process.execArgv, import.meta.filename, '--memory', `${kind},${length}`],
      { encoding: 'utf8' },
    );
    measured[kind].push([length, Number(child.stdout)]);
  }
}
if (values.svg) {
  writeFileSync(
    values.svg,
    plot('Memory of one attention layer (MB)', 'tokens', Object.entries(measured)),
  );
}
for (const length of lengths) {
  const [flash, plain] = KINDS.map((kind) => measured[kind].find(([at]) => at === length)?.[1]);
  const taken = length <= Number(values.timed) ? await times(engine, length) : {};
  const ratio = taken.flash && taken.plain && taken.plain / taken.flash;
  process.stdout.write(
    `| ${length} | ${shown(flash)} | ${shown(plain)} | ${shown(taken.flash, 1)} | ${shown(taken.plain, 1)} | ${shown(ratio, 2)} |\n`,
  );
}
await kernel.close();
