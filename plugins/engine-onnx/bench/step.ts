// Times training steps of bench/llama.ts and says tokens/s from the third step, peak memory and
// (with --profile) where the time goes.
// node --conditions=lmflow-source --import tsx plugins/engine-onnx/bench/step.ts --folder MODEL
//     [--method lora|full|loss]
//     [--length 512] [--steps 6] [--labelled 1] [--engine '{"prepack":true}'] [--serve]
// With --serve it answers the lines of test/bench/peer.py's protocol instead.
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { sizeOf } from '@lmflow/sdk/graph';
import type { ProfileRow, Tensor } from '@lmflow/sdk';
import { OnnxEngine } from '../src/engine.ts';
import { createLowerings } from '../src/lowerings/index.ts';
import { schema, type EngineOptionsInput } from '../src/options.ts';
import { buildStep, type StepOptions } from './llama.ts';

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: '.' },
    method: { type: 'string', default: 'lora' },
    length: { type: 'string', default: '512' },
    steps: { type: 'string', default: '6' },
    labelled: { type: 'string', default: '1' },
    engine: { type: 'string', default: '{}' },
    chunk: { type: 'string' },
    tile: { type: 'string' },
    recompute: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    serve: { type: 'boolean', default: false },
    reuse: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const length = Number(values.length);
const started = performance.now();
const since = (start: number): number => (performance.now() - start) / 1000;

const { graph, parameters, vocabulary } = await buildStep({
  folder: values.folder,
  length,
  method: values.method as StepOptions['method'],
  recompute: values.recompute,
  ...(values.chunk ? { chunk: Number(values.chunk) } : {}),
  ...(values.tile ? { tile: Number(values.tile) } : {}),
});
const traced = since(started);
const engine = new OnnxEngine({
  options: schema.parse(JSON.parse(values.engine) as EngineOptionsInput),
  device: 'cpu',
  lowerings: createLowerings(),
});
const compileStarted = performance.now();
const program = await engine.compile(graph, { name: 'step', profile: values.profile });
const compiled = since(compileStarted);
const inputs: Record<string, Tensor> = {
  positions: await engine.upload(
    Int32Array.from({ length }, (_, index) => index),
    [1, length],
    'int32',
  ),
};
for (const { name, shape, initial } of parameters) {
  inputs[`parameter:${name}`] = await engine.upload(
    Float32Array.from({ length: sizeOf(shape) }, (_, index) => initial(index)),
    shape,
    'float32',
  );
}
const loaded = since(started);

// With --reuse gradients are written into the same tensors at every step.
const outputs: Record<string, Tensor> = {};
if (values.reuse && values.method !== 'loss') {
  for (const { name, shape } of parameters) {
    outputs[`gradient:${name}`] = await engine.upload(
      new Float32Array(sizeOf(shape)),
      shape,
      'float32',
    );
  }
}

let seed = 1;
async function step(): Promise<{ seconds: number; cpu: number; loss: number }> {
  const ids = Int32Array.from({ length }, () => (seed = (seed * 48271) % 2147483647) % vocabulary);
  const labels = Int32Array.from({ length }, (_, index) =>
    index + 1 < length && index < Number(values.labelled) * length ? ids[index + 1]! : -100,
  );
  inputs['inputIds'] = await engine.upload(ids, [1, length], 'int32');
  inputs['labels'] = await engine.upload(labels, [length], 'int32');
  const before = process.cpuUsage();
  const start = performance.now();
  const results = await program.run(inputs, outputs);
  const loss = Number((await results['loss']!.read())[0]);
  const { user, system } = process.cpuUsage(before);
  return {
    seconds: since(start),
    cpu: (user + system) / 1e6,
    loss: loss / labels.filter((label) => label >= 0).length,
  };
}

const peak = (): number => process.resourceUsage().maxRSS * 1024;
if (values.serve) {
  say(
    JSON.stringify({
      ready: true,
      load_seconds: loaded,
      peak_rss_bytes: peak(),
      trainable: parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    }),
  );
  for await (const line of createInterface({ input: process.stdin })) {
    if ((JSON.parse(line) as { command: string }).command === 'exit') break;
    say(JSON.stringify({ ...(await step()), peak_rss_bytes: peak() }));
  }
  process.exit(0);
}
const nodes = graph.nodes.length;
say(
  `traced ${nodes} nodes in ${traced.toFixed(2)} s, compiled in ${compiled.toFixed(2)} s, RSS ${(process.memoryUsage.rss() / 1e9).toFixed(2)} GB`,
);
const times: number[] = [];
for (let index = 0; index < Number(values.steps); index++) {
  const { seconds, loss } = await step();
  if (index >= 2) times.push(seconds);
  say(
    `step ${index + 1}: ${seconds.toFixed(3)} s, ${(length / seconds).toFixed(0)} tokens/s, loss ${loss.toFixed(4)}, RSS ${(process.memoryUsage.rss() / 1e9).toFixed(2)} GB`,
  );
}
const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
say(`median ${(length / median).toFixed(0)} tokens/s, peak RSS ${(peak() / 1e9).toFixed(2)} GB`);
if (values.profile && program.profile) {
  for (const [kind, rows] of Object.entries(await program.profile())) {
    say(`-- ${kind} (ms a step)`);
    for (const { name, seconds, count } of (rows as readonly ProfileRow[]).slice(0, 30)) {
      say(
        `${((seconds * 1000) / Number(values.steps)).toFixed(1).padStart(8)} ${String(count).padStart(6)}  ${name}`,
      );
    }
  }
}
await engine.dispose();
