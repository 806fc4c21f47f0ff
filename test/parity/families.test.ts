// Every family of models against transformers (float32): logits, loss, and the gradient of every tensor.
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, LANGUAGE_MODELING } from '@lmflow/sdk';
import { grad } from '@lmflow/sdk/graph';
import { FIXTURES, feeds, json, largestDifference, load, logitsOf, modelFolder, tensors, traceOf, withKernel } from './family.ts';

const WIDTH = 96;

for (const family of readdirSync(join(FIXTURES, 'families'))) {
  for (const style of ['config.json', 'config.legacy.json']) {
    if (!readdirSync(join(FIXTURES, 'families', family)).includes(style)) continue;
    test(`${family} (${style}): logits equal transformers' within 1e-4`, async () => {
      const reference = await tensors('families', family, 'reference.safetensors');
      const folder = modelFolder(family);
      if (style !== 'config.json') renameSync(join(folder, style), join(folder, 'config.json'));
      await withKernel('finetune', {}, async (kernel) => {
        const model = await load(kernel, folder, 'inference');
        for (const prefix of reference.has('short.logits') ? ['', 'short.'] : ['']) {
          const logits = await logitsOf(kernel, model, reference.get(`${prefix}input_ids`)!.data, 2);
          const difference = largestDifference(logits, reference.get(`${prefix}logits`)!.data, reference.get(`${prefix}attention_mask`)!.data, WIDTH);
          assert.ok(difference < 1e-4, `${prefix}logits differ by ${difference}`);
        }
      });
    });
  }

  const { gradient_norms: norms, loss: expectedLoss } = json<{ loss: number; gradient_norms?: Record<string, number> }>('families', family, 'reference.json');
  if (Object.keys(norms ?? {}).length === 0) continue;
  test(`${family}: loss and every gradient equal PyTorch's`, async () => {
    const reference = await tensors('families', family, 'reference.safetensors');
    await withKernel('finetune', {}, async (kernel) => {
      const model = await load(kernel, modelFolder(family), 'training');
      const objective = kernel.resolve(LANGUAGE_MODELING);
      const labels = reference.get('labels')!.data;
      const length = labels.length / 2;
      const trace = traceOf(model, 2, length, 'training');
      const { loss } = objective.build(trace);
      const parameters = [...model.parameters.values()];
      trace.graph.output('loss', loss);
      const values = parameters.map(({ name }) => trace.graph.inputs.get(`parameter:${name}`)!);
      grad(loss, values).forEach((gradient, index) => { trace.graph.output(parameters[index]!.name, gradient); });
      const program = await kernel.resolve(ENGINE).compile(trace.graph);
      const results = await program.run(await feeds(kernel, trace, { inputIds: reference.get('input_ids')!.data, labels }));
      const count = labels.reduce((sum, label, index) => sum + Number(label >= 0 && index % length > 0), 0);
      const found = ((await results['loss']!.read()) as Float32Array)[0]! / count;
      assert.ok(Math.abs(found - expectedLoss) < 1e-5, `loss ${found}, PyTorch ${expectedLoss}`);
      assert.is(parameters.length, [...reference.keys()].filter((key) => key.startsWith('grad.')).length);
      for (const { name } of parameters) {
        const gradient = (await results[name]!.read()) as Float32Array;
        const expected = reference.get(`grad.${name}`)!.data;
        const norm = Math.hypot(...expected);
        const error = Math.hypot(...expected.map((number, index) => number - gradient[index]! / count));
        assert.ok(error <= Math.max(1e-3 * norm, 1e-6), `${name}: the gradient is off by ${error}, its norm is ${norm}`);
      }
    });
  });
}

test.run();
