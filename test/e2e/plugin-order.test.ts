// The order of a configuration's plugins means nothing: every one gives the same model, wrapped by
// the same plugins in the same order, and the same training program; and `lmflow inspect` says so.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { LANGUAGE_MODELING, MODELS, randomStream, type Plugin, type UserConfig } from '@lmflow/sdk';
import type { Model, Trace, Wrap } from '@lmflow/sdk/model';
import { grad, Graph, type Value } from '@lmflow/sdk/graph';
import chatTemplates from '@lmflow/plugin-chat-templates';
import datasets from '@lmflow/plugin-datasets';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import finetune from '@lmflow/plugin-finetune';
import flashAttention from '@lmflow/plugin-flash-attention';
import gradientCheckpointing from '@lmflow/plugin-gradient-checkpointing';
import hub from '@lmflow/plugin-hub';
import lora from '@lmflow/plugin-lora';
import models from '@lmflow/plugin-models';
import optimizers from '@lmflow/plugin-optimizers';
import positionInterpolation from '@lmflow/plugin-position-interpolation';
import qlora from '@lmflow/plugin-qlora';
import trainer from '@lmflow/plugin-trainer';
import { lmflow, project } from './project.ts';

const CHANGING: Readonly<Record<string, () => Plugin>> = {
  qlora,
  lora,
  'flash-attention': flashAttention,
  'position-interpolation': positionInterpolation,
  'gradient-checkpointing': gradientCheckpointing,
  finetune,
};
const NAMES = Object.keys(CHANGING);
const OTHERS = [engineOnnx, hub, chatTemplates, models, datasets, optimizers, trainer].map(
  (factory: () => Plugin) => factory(),
);
const ORDERS = [
  NAMES,
  NAMES.toReversed(),
  ...Array.from({ length: 24 }, (_, draw) => shuffled(draw)),
];

function shuffled(draw: number): string[] {
  return [...randomStream(12, 'plugin order', draw).permutation(NAMES.length)].map(
    (index) => NAMES[index]!,
  );
}

const folder = project();
const settings: UserConfig & { readonly model: string } = {
  model: join(folder, 'model'),
  fromScratch: true,
  flashAttention: { from: 1 },
  positionInterpolation: { type: 'linear', factor: 2 },
  gradientCheckpointing: { every: 1 },
  lora: { r: 2, loraDropout: 0.1 },
};

interface Made {
  readonly wraps: readonly Wrap[];
  readonly parameters: readonly string[];
  readonly maxPositions: number;
  readonly program: string;
}

/** What this order of plugins makes of the model. */
async function made(order: readonly string[]): Promise<Made> {
  const changing = order.map((name) => CHANGING[name]!);
  // others come first, last and in between
  const plugins = [...changing.slice(0, 3), ...OTHERS, ...changing.slice(3)];
  const { kernel } = await createTestKernel({ plugins, config: settings });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'training', source: settings.model });
    return {
      wraps: model.wraps,
      parameters: [...model.parameters.keys()],
      maxPositions: model.architecture.maxPositions,
      program: described(
        trainingProgram(model, (trace) => kernel.resolve(LANGUAGE_MODELING).build(trace).loss),
      ),
    };
  } finally {
    await kernel.close();
  }
}

/** Loss and gradients of a micro-batch. */
function trainingProgram(model: Model, build: (trace: Trace) => Value): Graph {
  const graph = new Graph();
  const input = (name: string): Value => graph.input(name, 'int32', [2, 64]);
  const loss = build({
    graph,
    model,
    batchSize: 2,
    length: 64,
    mode: 'training',
    positions: input('positions'),
    input,
    dropoutMask: (site, shape) => graph.input(`dropout:${site}`, 'uint8', shape),
  });
  const trained = [...model.parameters.keys()].map((name) =>
    graph.inputs.get(`parameter:${name}`)!,
  );
  grad(loss, trained).forEach((gradient, index) => {
    graph.output(`gradient:${index}`, gradient);
  });
  graph.output('loss', loss);
  return graph;
}

/** Everything that an engine compiles of a graph, as text. */
function described(graph: Graph): string {
  const numbers = (_: string, value: unknown): unknown =>
    ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;
  const sourceOf = ({ source }: Value): unknown => (source.kind === 'node' ? '' : source);
  const valueOf = (value: Value): unknown => [value.id, value.dtype, value.shape, sourceOf(value)];
  return JSON.stringify(
    {
      nodes: graph.nodes.map(({ name, op, inputs, attributes, region }) => [
        name,
        op.name,
        inputs.map(valueOf),
        attributes,
        region?.recompute,
      ]),
      outputs: [...graph.outputs].map(([name, { id }]) => [name, id]),
    },
    numbers,
  );
}

/** Who wraps what, the first innermost. */
const WRAPS = [
  'ropeTables position-interpolation',
  'attention flash-attention',
  'matmul qlora',
  'weight qlora',
  'project lora',
  'block gradient-checkpointing',
];

test('every order of the plugins gives the same wraps, parameters and training program', async () => {
  const first = await made(ORDERS[0]!);
  assert.equal(
    first.wraps.map(({ building, by }) => `${building} ${by.replace('@lmflow/plugin-', '')}`),
    WRAPS,
  );
  assert.is(first.maxPositions, 256);
  for (const what of ['flashAttention', 'matMulNf4', 'lora_A', 'recomputed.1']) {
    assert.ok(first.program.includes(what), `${what} is not in the program`);
  }
  for (const order of ORDERS.slice(1)) {
    const other = await made(order);
    assert.equal(other.wraps, first.wraps, order.join());
    assert.equal(other.parameters, first.parameters, order.join());
    assert.is(other.maxPositions, first.maxPositions);
    assert.ok(other.program === first.program, `another program: ${order.join()}`);
  }
});

test('lmflow inspect prints the same phases and wraps for every order', async () => {
  const said = async (order: readonly string[]): Promise<string[]> => {
    writeFileSync(
      join(folder, 'lmflow.config.json'),
      JSON.stringify({
        ...settings,
        plugins: [
          ...order.map((name) => `@lmflow/plugin-${name}`),
          ...OTHERS.map(({ name }) => name),
        ],
      }),
    );
    const out = await lmflow(folder, ['inspect', '--load-model', 'training']);
    const lines = out
      .replaceAll('@lmflow/plugin-', '')
      .split('\n')
      .map((line) => line.trim().replace(/ +/g, ' '));
    const wraps = lines.findIndex((line) => line.startsWith('wraps of'));
    return [...lines.filter((line) => line.startsWith('onModelLoad')), ...lines.slice(wraps)];
  };
  const first = await said(ORDERS[0]!);
  const loaded = `of ${settings.model}, loaded for training`;
  assert.equal(first, [
    'onModelLoad shape chat-templates, position-interpolation',
    'onModelLoad products flash-attention, qlora',
    'onModelLoad adapters lora',
    'onModelLoad parameters chat-templates, finetune',
    'onModelLoad memory gradient-checkpointing',
    'onModelLoad check qlora',
    `wraps ${loaded}, the first innermost`,
    ...WRAPS,
    `linears ${loaded}`,
    '14 in 4 bits (nf4, double quantization) qlora',
    '',
  ]);
  assert.equal(await said(ORDERS[1]!), first);
  assert.equal(await said(ORDERS[2]!), first);
});

test.run();
