// The norm of the gradients: large ones are squared and added by the engine, small ones here.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, type Batch, type Objective } from '@lmflow/sdk';
import type { Parameter } from '@lmflow/sdk/model';
import { add, mul, sum } from '@lmflow/sdk/graph';
import { createTestKernel } from 'lmflow/testing';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import { GradientSum } from '../src/loop/gradient-sum.ts';
import { GradientNorm } from '../src/update/gradient-norm.ts';
import { Programs } from '../src/loop/programs.ts';
import { noise, tinyModel } from './kit.ts';

const { kernel } = await createTestKernel({ plugins: [engineOnnx()] });
const engine = kernel.resolve(ENGINE);
const plain = (arrays: Iterable<Float32Array>): number =>
  Math.sqrt(
    [...arrays]
      .flatMap((array) => [...array])
      .reduce((total, number) => total + number * number, 0),
  );
const near = (found: number, wanted: number): void => {
  assert.ok(Math.abs(found / wanted - 1) < 1e-6, `${found} and ${wanted}`);
};

/**
 * Half the sum of the squares of each parameter times its weight: the gradient is the parameter
 * times the weight.
 */
const objective: Objective = {
  name: 'squares',
  weight: () => 1,
  build: ({ graph, model }) => {
    const terms = [...model.parameters.values()].map(({ name, shape }, index) => {
      const x = graph.input(`parameter:${name}`, 'float32', shape);
      return mul(sum(mul(x, x)), 0.5 * (index + 1));
    });
    return { loss: terms.reduce((one, other) => add(one, other)) };
  },
};

async function run(count: number): Promise<GradientSum> {
  const model = tinyModel();
  model.parameters.clear();
  for (const [name, shape] of [
    ['large', [300, 300]],
    ['small', [5]],
    ['flat', [70_001]],
  ] as const) {
    model.parameters.set(name, {
      name,
      shape,
      data: noise(
        shape.reduce((a, b) => a * b, 1 as number),
        shape.length + 1,
      ),
      decay: false,
    } satisfies Parameter);
  }
  const programs = new Programs({ engine, model, objective, seed: 1, budget: 1e9 });
  const batch: Batch = {
    size: 1,
    length: 1,
    tensors: {},
    tokens: 1,
    trainedTokens: 1,
    sequences: [],
    groupSize: 1,
    media: [],
  };
  const total = new GradientSum();
  for (let micro = 0; micro < count; micro++) {
    programs.recycle(total.add(await programs.run('training', { batch, step: 1, micro }), 1));
  }
  await programs.dispose();
  return total;
}

for (const count of [1, 2, 3]) {
  test(`of ${count} micro-batch${count > 1 ? 'es' : ''}`, async () => {
    const total = await run(count);
    assert.is(total.gradients.get('small')![1], Math.fround(2 * noise(5, 2)[1]!) * count);
    const norm = new GradientNorm(engine);
    near(await norm.of(total.gradients.values()), plain(total.gradients.values()));
    await norm.dispose();
  });
}

test.after(() => kernel.close());
test.run();
