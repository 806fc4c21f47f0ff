// A device that computes something else than the CPU is found by its first run, with the op that
// differs; one that agrees is compared once.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkedEngine, type CheckedEngine } from '../src/device-check/index.ts';
import { agreements, isApart } from '../src/device-check/agreement.ts';
import type { CompileOptions, Engine, TensorMap } from '../src/engine.ts';
import { isLMFlowError } from '../src/errors.ts';
import {
  addOp,
  exp,
  grad,
  Graph,
  mul,
  rmsNorm,
  rmsNormOp,
  sub,
  subOp,
  sum,
  type Node,
} from '../src/graph/index.ts';
import { interpreterEngine } from '../src/testing/index.ts';
import { rewritten } from '../src/testing/program.ts';

interface Context {
  folder: string;
}
const check = suite<Context>('device check');
check.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'lmflow-device-'));
});
check.after.each(({ folder }) => rm(folder, { recursive: true, force: true }));

/** An engine whose device computes some ops by other rules. */
function fakeDevice(replace: (op: Node['op']) => Node['op'] = (op) => op): Engine {
  const inner = interpreterEngine();
  return {
    name: 'fake',
    device: 'fake-gpu',
    upload: (...given) => inner.upload(...given),
    compile: (graph, options) => inner.compile(rewritten(graph, replace), options),
    devices: () => inner.devices(),
  };
}

/** rmsNorm's second output is no inverse deviation. */
const wrongNorm = (op: Node['op']): Node['op'] =>
  op.name === rmsNormOp.name
    ? {
        ...op,
        evaluate: undefined,
        decompose: (inputs, attributes) => {
          const [result, inverse] = rmsNormOp.decompose!(inputs, attributes as { epsilon: number });
          return [result!, mul(inverse!, 0.1)];
        },
      }
    : op;

interface Watched {
  readonly engine: CheckedEngine;
  /** Programs that the CPU was asked for. */
  readonly onCpu: string[];
  readonly events: string[];
}

function watched(device: Engine, folder: string, version = '1'): Watched {
  const cpu = interpreterEngine();
  const [onCpu, events]: [string[], string[]] = [[], []];
  const quiet = (): void => undefined;
  const engine = checkedEngine({
    engine: device,
    reference: () => ({
      name: 'fake',
      device: 'cpu',
      upload: (...given) => cpu.upload(...given),
      devices: () => cpu.devices(),
      compile: (graph: Graph, options: CompileOptions = {}) => {
        onCpu.push(options.name ?? '');
        return cpu.compile(graph, options);
      },
    }),
    folder,
    versions: () => Promise.resolve([version]),
    log: {
      info: quiet,
      warn: quiet,
      error: quiet,
      debug: quiet,
      progress: quiet,
      table: quiet,
      event: (_type, _data, text) => events.push(text ?? ''),
    },
  });
  return { engine, onCpu, events };
}

/** Loss and gradient of a norm, as training has them, for rows of 4. */
function training(rows: number): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [rows, 4]);
  const weight = graph.input('parameter', 'float32', [4]);
  const normed = rmsNorm(mul(x, weight), weight, 1e-5);
  const loss = sum(mul(normed, normed));
  graph.output('loss', loss);
  graph.output('gradient:weight', grad(loss, [weight])[0]!);
  return graph;
}

async function run(
  { engine }: Watched,
  rows: number,
  {
    options = { name: `rows ${rows}`, family: 'training' },
    factor = 1,
  }: {
    options?: CompileOptions;
    factor?: number;
  } = {},
): Promise<TensorMap> {
  const program = await engine.compile(training(rows), options);
  const numbers = Float32Array.from({ length: 4 * rows }, (_, index) => factor * ((index % 5) - 1));
  return program.run({
    x: await engine.upload(numbers, [rows, 4], 'float32'),
    parameter: await engine.upload(Float32Array.of(0.5, 1, -1, 2), [4], 'float32'),
  });
}

check('a wrong gradient is an error that names the op', async ({ folder }) => {
  const device = watched(fakeDevice(wrongNorm), folder);
  try {
    await run(device, 2);
    assert.unreachable('nothing was thrown');
  } catch (error) {
    assert.ok(isLMFlowError(error), String(error));
    assert.is(error.code, 'LMFLOW_DEVICE_WRONG');
    assert.match(error.message, /the device "fake-gpu" computes "rows 2" otherwise than the CPU/);
    assert.match(error.message, /: gradient: cosine/, 'the loss is right, and is not named');
    assert.match(error.message, /ops that differ: rmsNorm \(op "rmsNorm", case .*output 1: off by/);
    assert.not.match(error.message, /; (mul|sum|matMul) /, 'the others are right');
  }
  assert.equal(await readdir(folder), [], 'it is not noted as good');
});

check(
  'a device that agrees is compared once a family, also across processes',
  async ({ folder }) => {
    const device = watched(fakeDevice(), folder);
    const { loss } = await run(device, 2);
    assert.ok(Number((await loss!.read())[0]) > 0);
    assert.equal(device.onCpu, ['rows 2']);
    assert.match(
      device.events.join(),
      /device check: rows 2 on fake-gpu against the CPU: loss: relative error 0\.0%; gradient: cosine 1\.00000, relative error 0\.0%/,
    );
    await run(device, 3);
    assert.equal(device.onCpu, ['rows 2'], 'another size, the same family');
    const later = watched(fakeDevice(), folder);
    await run(later, 2);
    assert.equal([later.onCpu, later.events], [[], []]);
    await run(later, 2, { options: { name: 'other', family: 'another use' } });
    assert.equal(later.onCpu, ['other']);
    const updated = watched(fakeDevice(), folder, '2');
    await run(updated, 2);
    assert.equal(updated.onCpu, ['rows 2'], 'another version of the engine');
  },
);

check('without a family every size is one', async ({ folder }) => {
  const device = watched(fakeDevice(), folder);
  for (const rows of [2, 2, 3]) await run(device, rows, { options: { name: String(rows) } });
  assert.equal(device.onCpu, ['2', '3']);
});

check('a run of zeros says nothing, so the next one is compared too', async ({ folder }) => {
  const device = watched(fakeDevice(wrongNorm), folder);
  await run(device, 2, { factor: 0 });
  assert.equal(await readdir(folder), []);
  try {
    await run(device, 2);
    assert.unreachable('nothing was thrown');
  } catch (error) {
    assert.is((error as { code?: string }).code, 'LMFLOW_DEVICE_WRONG');
  }
});

check('results over inputs are compared with those of the inputs before', async ({ folder }) => {
  const device = watched(fakeDevice(), folder);
  const graph = new Graph();
  graph.output('y', mul(graph.input('x', 'float32', [2]), 3));
  const program = await device.engine.compile(graph);
  const x = await device.engine.upload(Float32Array.of(1, 2), [2], 'float32');
  await program.run({ x }, { y: x });
  assert.equal([...(await x.read())], [3, 6]);
  assert.is(device.onCpu.length, 1);
});

check(
  'an update is compared with a learning rate of zero, and with another',
  async ({ folder }) => {
    const graph = new Graph();
    const parameter = graph.input('parameter', 'float32', [2]);
    const rate = graph.input('rate', 'float32', []);
    graph.output('next', sub(parameter, mul(rate, exp(parameter))));
    const wrongSub = (op: Node['op']): Node['op'] =>
      op.name === subOp.name ? { ...addOp, name: subOp.name } : op;
    const steps = async (device: Watched, rates: readonly number[]): Promise<void> => {
      const program = await device.engine.compile(graph, { name: 'update' });
      for (const number of rates) {
        await program.run({
          parameter: await device.engine.upload(Float32Array.of(1, 2), [2], 'float32'),
          rate: await device.engine.upload(Float32Array.of(number), [], 'float32'),
        });
      }
    };
    const right = watched(fakeDevice(), join(folder, 'right'));
    await steps(right, [0, 0, 0.1, 0.2, 0]);
    assert.equal(right.onCpu, ['update', 'update']);
    const wrong = watched(fakeDevice(wrongSub), join(folder, 'wrong'));
    await steps(wrong, [0]);
    try {
      await steps(wrong, [0.1]);
      assert.unreachable('nothing was thrown');
    } catch (error) {
      assert.match((error as Error).message, /ops that differ: sub \(/);
    }
  },
);

const outputs = (name: string, ...numbers: number[]): Map<string, Float64Array> =>
  new Map([[name, Float64Array.from(numbers)]]);

check('what is apart: direction, length, NaN, single numbers', () => {
  const apart = (found: number[], expected: number[]): boolean =>
    agreements(outputs('gradient:x', ...found), outputs('gradient:x', ...expected)).some(isApart);
  assert.not(apart([1, 2.05], [1, 2]));
  assert.ok(apart([2, 1], [1, 2]), 'another direction');
  assert.ok(apart([0.1, 0.2], [1, 2]), 'the same direction, a tenth as long');
  assert.ok(apart([0, 0], [1, 2]), 'zeros');
  assert.ok(apart([1, 2], [0, 0]), 'instead of zeros');
  assert.ok(apart([NaN, 2], [1, 2]), 'NaN');
  assert.not(apart([1, -Infinity], [1, -Infinity]), 'equal infinities');
  assert.ok(apart([1, -Infinity], [1, Infinity]), 'other infinities');
  assert.not(apart([2e-9, 1e-9], [-1e-9, 3e-9]), 'rounding');
  assert.ok(apart([5.1], [5]), 'a loss that is 2% off');
  assert.not(apart([5.01], [5]));
});

check.run();
