// The objective (what predicts what, across packed samples too), full finetuning's parameters and
// files, and what the command asks for.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { LANGUAGE_MODELING, definePlugin, type Batch } from '@lmflow/sdk';
import type { Model, Trace } from '@lmflow/sdk/model';
import {
  Graph,
  gather,
  interpret,
  ndarray,
  reshape,
  sizeOf,
  type NdArray,
  type Value,
} from '@lmflow/sdk/graph';
import { writeSafetensors } from '@lmflow/sdk/formats';
import preset from '@lmflow/preset-finetune';
import qlora from '@lmflow/preset-qlora';
import finetune from '../src/index.ts';
import { restoreAll, trainAll } from '../src/full.ts';
import { otherTools } from '../src/refused-options.ts';
import { languageModeling } from '../src/objective.ts';

const VOCABULARY = 5;
const table = Float32Array.from({ length: VOCABULARY * 3 }, (_, index) => Math.sin(3 * index));

/**
 * The summed loss of rows of ids, in a model whose hidden states are rows of the table, which is
 * the head too. With `uniform` labels are drawn with these numbers.
 */
function lossOf(
  ids: number[][],
  labels: number[][],
  segments?: number[][],
  uniform?: number[],
): number {
  const graph = new Graph();
  const shape = [ids.length, ids[0]!.length] as const;
  const input = (name: string): Value => graph.input(name, 'int32', shape);
  const weight = graph.constant(table, [VOCABULARY, 3], 'float32');
  const build = {
    embed: (_: Trace, tokens: Value) => gather(weight, reshape(tokens, [shape[0] * shape[1]])),
    head: (_: Trace, hidden: Value) => ({ hidden, weight }),
  };
  const trace = {
    graph,
    batchSize: shape[0],
    length: shape[1],
    input,
    mode: 'training',
    model: { architecture: { numLayers: 0 }, build },
    ...(segments ? { segments: input('segments') } : {}),
  };
  const { loss } = uniform
    ? languageModeling.buildSampled!(trace as unknown as Trace, (drawn) =>
        graph.input('uniform', 'float32', drawn),
      )
    : languageModeling.build(trace as unknown as Trace);
  graph.output('loss', loss);
  const array = (rows: number[][]): NdArray => ndarray(shape, rows.flat());
  return interpret(graph, {
    inputIds: array(ids),
    labels: array(labels),
    ...(segments ? { segments: array(segments) } : {}),
    ...(uniform ? { uniform: ndarray([uniform.length], uniform) } : {}),
  })['loss']!.data[0]!;
}

/** -log softmax of the next token, by hand. */
function surprise(token: number, next: number): number {
  const dot = (other: number): number =>
    [0, 1, 2].reduce((sum, k) => sum + table[token * 3 + k]! * table[other * 3 + k]!, 0);
  const scores = Array.from({ length: VOCABULARY }, (_, other) => dot(other));
  return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - scores[next]!;
}

const near = (a: number, b: number): void => {
  assert.ok(Math.abs(a - b) < 1e-6, `${a} and ${b}`);
};

test('a label is predicted by the token before it; the first label and ignored ones never count', () => {
  near(lossOf([[0, 1, 2, 3]], [[0, 1, 2, 3]]), surprise(0, 1) + surprise(1, 2) + surprise(2, 3));
  near(lossOf([[0, 1, 2, 3]], [[-100, -100, 2, -100]]), surprise(1, 2));
  near(
    lossOf(
      [
        [0, 1],
        [4, 2],
      ],
      [
        [0, 1],
        [-100, 2],
      ],
    ),
    surprise(0, 1) + surprise(4, 2),
  );
  near(lossOf([[3]], [[3]]), 0);
});

test('in a packed row no token predicts the first one of the next sample, nor padding', () => {
  near(
    lossOf([[0, 1, 2, 3, 0]], [[0, 1, 2, 3, -100]], [[1, 1, 2, 2, 0]]),
    surprise(0, 1) + surprise(2, 3),
  );
});

test('drawn labels stand where the data has labels, and follow the model', () => {
  // The lowest number draws the first token, the highest the last one.
  near(
    lossOf([[0, 1, 2, 3]], [[-100, -100, 2, 3]], undefined, [0, 0, 0.9999, 0]),
    surprise(1, 0) + surprise(2, VOCABULARY - 1),
  );
  near(
    lossOf([[0, 1, 2, 3, 0]], [[0, 1, 2, 3, -100]], [[1, 1, 2, 2, 0]], [0, 0.9999, 0.9999, 0, 0]),
    surprise(0, 0) + surprise(2, VOCABULARY - 1),
  );
  near(lossOf([[3]], [[3]], undefined, [0.5]), 0);
});

test('the loss is divided by the number of trained tokens', () => {
  assert.is(languageModeling.weight({ trainedTokens: 7 } as Batch), 7);
});

const model = (): Model =>
  ({
    parameters: new Map(),
    weights: new Map([
      ['a.weight', { shape: [2, 2] }],
      ['a.bias', { shape: [2] }],
    ]),
    read: (name: string) =>
      Promise.resolve(name === 'a.bias' ? Float32Array.of(1, 2) : Float32Array.of(1, 2, 3, 4)),
  }) as unknown as Model;

test('full finetuning trains every weight, decays matrices only, and reads its files back exactly', async () => {
  const trained = model();
  await trainAll(trained);
  assert.equal(
    [...trained.parameters.values()].map(({ name, decay }) => [name, decay]),
    [
      ['a.weight', true],
      ['a.bias', false],
    ],
  );
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-full-'));
  await writeSafetensors(join(folder, 'model.safetensors'), [
    ['a.weight', { shape: [2, 2], data: Float32Array.of(5, 6, 7, 8) }],
    ['a.bias', { shape: [2], data: Float32Array.of(9, 0) }],
  ]);
  await restoreAll(trained, folder);
  assert.equal(
    [...trained.parameters.values()].map(({ data }) => [...data]),
    [
      [5, 6, 7, 8],
      [9, 0],
    ],
  );
});

for (const [what, tensors, says] of [
  ['is missing', { 'a.weight': [2, 2] }, /a\.bias is missing/],
  [
    'has another shape',
    { 'a.weight': [4], 'a.bias': [2] },
    /a\.weight is \[4\], the model needs \[2, 2\]/,
  ],
] as const) {
  test(`a checkpoint in which a tensor ${what} is refused by name`, async () => {
    const trained = model();
    await trainAll(trained);
    const folder = mkdtempSync(join(tmpdir(), 'lmflow-full-'));
    await writeSafetensors(
      join(folder, 'model.safetensors'),
      Object.entries<readonly number[]>(tensors).map(
        ([name, shape]) => [name, { shape, data: new Float32Array(sizeOf(shape)) }] as const,
      ),
    );
    try {
      await restoreAll(trained, folder);
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code?: string }).code, 'LMFLOW_RESUME_INCOMPLETE');
      assert.match((error as Error).message, says);
    }
  });
}

const needed = ['@lmflow/plugin-models', '@lmflow/plugin-datasets', '@lmflow/plugin-trainer'].map(
  (name) => definePlugin({ name, version: '1.0.0', sdk: '^1.0.0', apply: () => undefined })(),
);

test('the command says which setting is missing; the objective is a service', async () => {
  for (const [config, key] of [
    [{}, 'model'],
    [{ model: 'm' }, 'dataset'],
  ] as const) {
    const { kernel } = await createTestKernel({ plugins: [...needed, finetune()], config });
    assert.is(kernel.resolve(LANGUAGE_MODELING), languageModeling);
    try {
      await kernel.run('finetune');
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code?: string }).code, 'LMFLOW_SETTING_MISSING');
      assert.match((error as Error).message, `"${key}" is not set`);
    }
    await kernel.close();
  }
});

test('names of other tools are refused as flags, as they are written there, with what to do instead', async () => {
  const { kernel } = await createTestKernel({
    presets: [qlora],
    plugins: ['@lmflow/plugin-int8-compute', '@lmflow/plugin-lisa'],
  });
  for (const [name, refusal] of Object.entries(otherTools)) {
    assert.equal(kernel.keys.names.get(name), { kind: 'unsupported', name, refusal });
  }
  await kernel.close();
  for (const [flag, instead] of [
    ['--load_in_4bit', /preset qlora/],
    ['--finetuning-type', /--preset lora/],
    ['--bnb_4bit_compute_dtype', /float32/],
    ['--flash_attn', /flash-attention/],
  ] as const) {
    const error = await createTestKernel({ presets: [qlora], flags: [flag, 'x'] }).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string },
    );
    assert.is(error?.code, 'LMFLOW_OPTION_UNSUPPORTED');
    assert.match(error!.message, instead);
  }
});

test('what other tools write to turn something off is accepted where it is off', async () => {
  const off = {
    bf16: false,
    fp16: false,
    tf32: false,
    load_in_4bit: false,
    loadIn8bit: false,
    useUnsloth: false,
    save_safetensors: true,
    deepspeed: null,
    trust_remote_code: false,
    dataloaderNumWorkers: 0,
  };
  const plain = await createTestKernel({ presets: [preset] });
  const { kernel } = await createTestKernel({ presets: [preset], config: off });
  assert.equal(kernel.config, plain.kernel.config);
  await kernel.close();
  await plain.kernel.close();
  const flags = ['--no-bf16', '--fp16', 'false', '--no-load-in-4bit', '--use_unsloth', 'false'];
  const typed = await createTestKernel({ presets: [preset], flags });
  await typed.kernel.close();
  for (const [presets, config] of [
    [[preset], { saveSafetensors: false }],
    [[preset], { bf16: true }],
    [[qlora], { loadIn4bit: false }],
  ] as const) {
    const error = await createTestKernel({ presets, config }).then(
      () => undefined,
      (reason: unknown) => reason as { code: string },
    );
    assert.is(error?.code, 'LMFLOW_OPTION_UNSUPPORTED', JSON.stringify(config));
  }
});

test('names of other tools that mean exactly one of our keys', async () => {
  const { kernel } = await createTestKernel({
    presets: [qlora],
    flags: [
      '--sequence_len',
      '64',
      '--sample_packing',
      '--val_set_size',
      '0.1',
      '--micro_batch_size',
      '2',
      '--num_epochs',
      '1',
      '--optimizer',
      'paged_adamw_8bit',
      '--lr_scheduler',
      'linear',
      '--base_model',
      'm',
      '--train_on_inputs',
    ],
  });
  const {
    blockSize,
    packing,
    validationSplit,
    perDeviceTrainBatchSize,
    numTrainEpochs,
    optim,
    lrSchedulerType,
    model,
    trainOnPrompt,
  } = kernel.config;
  assert.equal(
    [
      blockSize,
      packing,
      validationSplit,
      perDeviceTrainBatchSize,
      numTrainEpochs,
      optim,
      lrSchedulerType,
      model,
      trainOnPrompt,
    ],
    [64, true, 0.1, 2, 1, 'paged_adamw_8bit', 'linear', 'm', true],
  );
  await kernel.close();
});

test.run();
