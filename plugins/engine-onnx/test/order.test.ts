// The order in which the runtime runs a program decides how much memory it takes: gradients of
// parameters as soon as they can be computed, and one chunk of the loss after the other.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  grad,
  Graph,
  linearCrossEntropy,
  linearLogProbs,
  matMul,
  mul,
  sum,
  sigmoid,
  slice,
  type Value,
} from '@lmflow/sdk/graph';
import { compileModel, inputName } from '../src/compiled-model.ts';
import { flatten } from '../src/flat-graph.ts';
import { createLowerings } from '../src/lowerings/index.ts';
import { loadRuntime } from '../src/runtime.ts';
import { createSession } from '../src/session.ts';
import { random } from './support.ts';

const order = suite('order');

/** Names of the kernels in the order they ran, as `node kernel`. */
async function kernels(graph: Graph): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-order-'));
  const runtime = await loadRuntime();
  const lowerings = createLowerings();
  const next = random(1);
  const session = await createSession(
    runtime,
    compileModel(flatten(graph, lowerings), lowerings, 'order').model,
    {
      device: 'cpu',
      threads: 1,
      graphOptimization: 'disabled',
      prepack: false,
      arena: true,
      memoryPattern: false,
      logLevel: 'fatal',
      keepCasts: false,
      keepOnDevice: false,
      repeated: false,
      externalFolder: '/',
      profile: join(folder, 'profile'),
    },
  );
  const feeds = Object.fromEntries(
    [...graph.inputs].map(([name, { dtype, shape }]) => {
      const size = shape.reduce((product, length) => product * length, 1);
      return [
        inputName(name),
        dtype === 'int32'
          ? new runtime.Tensor(
              'int32',
              Int32Array.from({ length: size }, (_, index) => index % 3),
              [...shape],
            )
          : new runtime.Tensor('float32', Float32Array.from({ length: size }, next), [...shape]),
      ];
    }),
  );
  await session.run(feeds);
  session.endProfiling();
  const [file] = readdirSync(folder);
  const events = JSON.parse(readFileSync(join(folder, file!), 'utf8')) as {
    cat: string;
    name: string;
    args?: { op_name?: string };
  }[];
  await session.release();
  rmSync(folder, { recursive: true });
  return events
    .filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'))
    .map(({ name, args }) => `${name.split('#')[0]!} ${args?.op_name ?? ''}`);
}

order('the gradients of a layer are computed before the layers below are reached', async () => {
  const graph = new Graph();
  const parameters: Value[] = [];
  let hidden = graph.input('x', 'float32', [6, 8]);
  for (let layer = 0; layer < 4; layer++) {
    hidden = graph.region(`layer.${layer}`, () => {
      const parameter = graph.input(`w${layer}`, 'float32', [10, 8]);
      parameters.push(parameter);
      return sigmoid(
        matMul(hidden, slice(mul(parameter, 2), [1, 0], [9, 8]), { transposeB: true }),
      );
    });
  }
  const loss = linearCrossEntropy(
    hidden,
    graph.input('head', 'float32', [5, 8]),
    graph.input('labels', 'int32', [6]),
  );
  graph.output('loss', loss);
  grad(loss, parameters).forEach((gradient, index) => graph.output(`gradient ${index}`, gradient));
  const ran = await kernels(graph);
  const backward = ran.slice(ran.findIndex((name) => name.startsWith('linearCrossEntropy')));
  for (let layer = 3; layer > 0; layer--) {
    const last = backward.findLastIndex((name) => name.startsWith(`layer.${layer}/`));
    const below = backward.findIndex((name) => name.startsWith(`layer.${layer - 1}/`));
    assert.ok(
      last < below,
      `layer ${layer} ends at ${last}, layer ${layer - 1} begins at ${below}: ${backward.join(', ')}`,
    );
  }
});

order('a chunk of the loss is done, gradients included, before the next begins', async () => {
  const graph = new Graph();
  const [hidden, head] = [
    graph.input('hidden', 'float32', [18, 4]),
    graph.input('head', 'float32', [5, 4]),
  ];
  // 6 rows, with a gradient of the head
  const loss = linearCrossEntropy(hidden, head, graph.input('labels', 'int32', [18]), { chunk: 3 });
  graph.output('loss', loss);
  grad(loss, [hidden, head]).forEach((gradient, index) =>
    graph.output(`gradient ${index}`, gradient),
  );
  const heavy = (await kernels(graph))
    .map((name) => name.split(' ')[1]!)
    .filter((kernel) => kernel === 'Gemm' || kernel === 'Softmax');
  // Of the last chunk the runtime may keep the probabilities a little longer.
  assert.equal(heavy.slice(0, 8), [
    'Gemm',
    'Softmax',
    'Gemm',
    'Gemm',
    'Gemm',
    'Softmax',
    'Gemm',
    'Gemm',
  ]);
  assert.is(heavy.length, 12);
});

order('a chunk of log-probabilities is done before the next begins, backward too', async () => {
  const graph = new Graph();
  const [hidden, head] = [
    graph.input('hidden', 'float32', [18, 4]),
    graph.input('head', 'float32', [5, 4]),
  ];
  const labels = graph.input('labels', 'int32', [18]);
  const { logProbs } = linearLogProbs(hidden, head, labels, { chunk: 6 });
  grad(sum(mul(logProbs, logProbs)), [hidden, head]).forEach((gradient, index) =>
    graph.output(`gradient ${index}`, gradient),
  );
  const heavy = (await kernels(graph))
    .map((name) => name.split(' ')[1]!)
    .filter((kernel) => kernel === 'Gemm' || kernel === 'Softmax');
  // three chunks forward; backward two of double size, with gradients of hidden and head
  const [forward, backward] = [
    ['Gemm', 'Softmax'],
    ['Gemm', 'Softmax', 'Gemm', 'Gemm'],
  ];
  assert.equal(heavy, [...forward, ...forward, ...forward, ...backward, ...backward]);
});

order.run();
