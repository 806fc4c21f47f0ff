// A device other than the CPU, through the whole: four LoRA steps and greedy text on WebGPU are the
// CPU's, and a wrong kernel ends the run. SwiftShader does where there is no GPU.
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel, type CapturedLog } from 'lmflow/testing';
import engineOnnx, { type Lowering } from '@lmflow/plugin-engine-onnx';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/preset-lora';
import {
  definePlugin,
  ENGINE,
  GENERATOR,
  isLMFlowError,
  lowering,
  LOWERINGS,
  MODELS,
  type Plugin,
} from '@lmflow/sdk';
import { rmsNormOp } from '@lmflow/sdk/graph';
import { useSoftwareGpu } from '../../plugins/engine-onnx/test/software-gpu.ts';

const temporary = (name: string): string => mkdtempSync(join(tmpdir(), `lmflow-device-${name}-`));
const model = resolve(import.meta.dirname, '../../../shared/models/stories260k');
const data = join(temporary('data'), 'data.json');
const questions = ['Who is Tom?', 'What did Lily see?', 'Where is the dog?', 'Tell me a story.'];
const answers = ['A happy boy.', 'Lily saw a big red ball.', 'In the park.', 'Once upon a time.'];
writeFileSync(
  data,
  JSON.stringify({
    type: 'text2text',
    instances: questions.map((input, index) => ({ input, output: answers[index] })),
  }),
);

/** Losses and gradient norms of four steps. */
async function train(
  device: string,
  plugins: readonly Plugin[] = [],
): Promise<{ readonly figures: readonly number[]; readonly log: CapturedLog }> {
  const { kernel, log } = await createTestKernel({
    presets: [lora],
    plugins,
    config: {
      device,
      model,
      dataset: data,
      maxSteps: 4,
      perDeviceTrainBatchSize: 1,
      gradientAccumulationSteps: 1,
      learningRate: 5e-3,
      loggingSteps: 1,
      saveStrategy: 'no',
      outputDir: temporary('out'),
    },
  });
  try {
    const { result } = await kernel.run('finetune');
    const figures = result.log.flatMap(({ loss, grad_norm: norm }) =>
      loss === undefined ? [] : [loss, norm!],
    );
    return { figures, log };
  } finally {
    await kernel.close();
  }
}

async function story(device: string): Promise<string> {
  const { kernel } = await createTestKernel({ presets: [inference], config: { device, model } });
  try {
    const [answer] = await kernel.resolve(GENERATOR).inference({
      model: await kernel
        .resolve(MODELS)
        .load({ source: model, purpose: 'inference', role: 'policy' }),
      prompt: 'Once upon a time',
      options: { maxNewTokens: 12 },
    });
    return answer!.text;
  } finally {
    await kernel.close();
  }
}

/** Why webgpu cannot be tested, if it cannot. */
async function missing(): Promise<string | undefined> {
  if (!existsSync(model)) return 'no ../shared';
  const { kernel } = await createTestKernel({ plugins: [engineOnnx] });
  const devices = await kernel.resolve(ENGINE).devices();
  await kernel.close();
  const { available, detail } = devices.find(({ device }) => device === 'webgpu')!;
  return available ? undefined : detail;
}

useSoftwareGpu();
const reason = await missing();
if (reason) process.stdout.write(`skipped: ${reason}\n`);
const onDevice = (name: string, body: () => Promise<void>): void => {
  if (reason) test.skip(name, body);
  else test(name, body);
};

onDevice('four LoRA steps are those of the CPU, and the check says so', async () => {
  const [{ figures, log }, cpu] = [await train('webgpu'), await train('cpu')];
  assert.is(figures.length, 8);
  figures.forEach((figure, index) => {
    assert.ok(Math.abs(figure - cpu.figures[index]!) <= 1e-5, `${figure}, ${cpu.figures[index]}`);
  });
  assert.match(
    log.texts('event').join('\n'),
    /device check: training .* on webgpu against the CPU: loss: .* gradient: cosine 1\.0000/,
  );
  assert.not.match(cpu.log.texts('event').join('\n'), /device check/);
});

onDevice('greedy text is that of the CPU', async () => {
  assert.is(await story('webgpu'), await story('cpu'));
});

onDevice('a kernel that computes something else ends the run, and is named', async () => {
  // The kernel of ONNX Runtime 1.30, whose second output is no inverse deviation.
  const kernelAlone: Lowering<{ epsilon: number }> = (emit, node) => {
    const outputs = emit.nodeWithOutputs(
      'SimplifiedLayerNormalization',
      emit.tensors(node.inputs),
      2,
      {
        attributes: { axis: -1, epsilon: { float: node.attributes.epsilon }, stash_type: 1 },
      },
    );
    outputs.forEach((tensor, index) => emit.set(node.outputs[index]!, tensor));
  };
  const wrong = definePlugin({
    name: 'wrong-norm',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: (context) => {
      context.contribute(LOWERINGS, lowering('onnx', rmsNormOp, kernelAlone, ['webgpu']));
    },
  });
  try {
    await train('webgpu', [wrong()]);
    assert.unreachable('nothing was thrown');
  } catch (error) {
    assert.ok(isLMFlowError(error) && error.code === 'LMFLOW_DEVICE_WRONG', String(error));
    assert.match((error as Error).message, /gradient: cosine .* ops that differ: rmsNorm \(/);
  }
});

test.run();
