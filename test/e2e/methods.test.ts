// Every method of training passes the sdk's suite for methods: parameters, save and restore,
// resume, refusals, any order of the plugins. The engine is the interpreter: none of them needs
// another.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestKernel } from 'lmflow/testing';
import { suite } from 'uvu';
import type { Pluggable } from '@lmflow/sdk';
import { interpreterPlugin, methodSuite, type MethodTest } from '@lmflow/sdk/testing';
import chatTemplates from '@lmflow/plugin-chat-templates';
import datasets from '@lmflow/plugin-datasets';
import finetune from '@lmflow/plugin-finetune';
import flashAttention from '@lmflow/plugin-flash-attention';
import gradientCheckpointing from '@lmflow/plugin-gradient-checkpointing';
import hub from '@lmflow/plugin-hub';
import ia3 from '@lmflow/plugin-ia3';
import int8Compute from '@lmflow/plugin-int8-compute';
import lisa from '@lmflow/plugin-lisa';
import lora from '@lmflow/plugin-lora';
import models from '@lmflow/plugin-models';
import optimizers from '@lmflow/plugin-optimizers';
import qlora from '@lmflow/plugin-qlora';
import trainer from '@lmflow/plugin-trainer';
import vera from '@lmflow/plugin-vera';

const cacheDir = mkdtempSync(join(tmpdir(), 'lmflow-methods-'));

/** A kernel with what every method needs. */
const createKernel: MethodTest['createKernel'] = async (plugins, config) => {
  const needed = [
    interpreterPlugin,
    chatTemplates,
    hub,
    models,
    datasets,
    optimizers,
    trainer,
    finetune,
  ];
  return (await createTestKernel({ plugins: [...needed, ...plugins], config })).kernel;
};

const adapter = {
  parameters: /\.lora_[AB]\.weight$/,
  restore: (outputDir: string) => ({ config: { lora: { adapter: outputDir } } }),
};
const whole = { parameters: /\.weight$/, restore: (source: string) => ({ source }) };
const stack: readonly Pluggable[] = [
  flashAttention({ from: 4 }),
  gradientCheckpointing({ every: 1 }),
];
const config = { lora: { r: 2, initLoraWeights: false } };

const METHODS: Readonly<Record<string, Omit<MethodTest, 'createKernel'>>> = {
  lora: {
    plugins: [lora],
    config: { lora: { r: 2 } },
    ...adapter,
    stack,
    refusals: [{ code: 'LMFLOW_LORA_NO_TARGETS', config: { lora: { targetModules: ['x'] } } }],
  },
  'lora on the embedding': {
    plugins: [lora],
    config: { lora: { r: 2, targetModules: ['q_proj', 'embed_tokens'], useDora: true } },
    ...adapter,
    parameters: /\.lora_([AB]\.weight|embedding_[AB]|magnitude_vector)$/,
    stack,
    refusals: [
      {
        code: 'LMFLOW_LORA_EMBEDDING',
        config: { lora: { targetModules: ['embed_tokens'], loraBias: true } },
      },
    ],
  },
  qlora: {
    plugins: [qlora({ cacheDir }), lora],
    config,
    ...adapter,
    stack: [flashAttention({ from: 4 })],
    refusals: [{ code: 'LMFLOW_LINEARS_CLAIMED', plugins: [int8Compute({ cacheDir })] }],
  },
  'int8-compute': {
    plugins: [int8Compute({ cacheDir, selfCheck: false }), lora],
    config,
    ...adapter,
  },
  ia3: {
    plugins: [ia3],
    parameters: /\.ia3_l$/,
    restore: (outputDir) => ({ config: { ia3: { adapter: outputDir } } }),
    stack,
    refusals: [
      { code: 'LMFLOW_IA3_UNKNOWN_MODULE', config: { ia3: { targetModules: ['x'] } } },
      { code: 'LMFLOW_ADAPTER_TAKEN', plugins: [lora] },
    ],
  },
  vera: {
    plugins: [vera],
    config: { vera: { r: 4 } },
    parameters: /\.vera_lambda_[bd]$/,
    restore: (outputDir) => ({ config: { vera: { adapter: outputDir } } }),
    stack,
    refusals: [
      { code: 'LMFLOW_VERA_UNKNOWN_MODULE', config: { vera: { targetModules: ['x'] } } },
      { code: 'LMFLOW_VERA_UNKNOWN_MODULE', config: { vera: { layersToTransform: [9] } } },
    ],
  },
  ...onSmallerBases(),
  full: { plugins: [], ...whole, stack },
  lisa: {
    plugins: [lisa],
    config: { lisa: { layers: 1, interval: 2 } },
    ...whole,
    stack,
    refusals: [
      { code: 'LMFLOW_LISA_LAYERS', config: { lisa: { layers: 3 } } },
      { code: 'LMFLOW_LISA_NOT_FULL', plugins: [lora] },
    ],
  },
};

/** IA3 and VeRA on weights in 4 bits and in int8; a head in its own form is one of the linears. */
function onSmallerBases(): Record<string, Omit<MethodTest, 'createKernel'>> {
  const bases = {
    '4 bits': { plugin: qlora({ cacheDir }), stack: [flashAttention({ from: 4 })] },
    int8: { plugin: int8Compute({ cacheDir, selfCheck: false }), stack: [] },
  };
  const methods = {
    ia3: { plugin: ia3, parameters: /\.ia3_l$/, config: {} },
    vera: { plugin: vera, parameters: /\.vera_lambda_[bd]$/, config: { r: 4, dInitial: 0.5 } },
  };
  return Object.fromEntries(
    Object.entries(methods).flatMap(([name, method]) =>
      Object.entries(bases).map(([base, { plugin, stack: others }]) => [
        `${name} on ${base}`,
        {
          plugins: [plugin, method.plugin],
          config: { [name]: { ...method.config, targetModules: 'all-linear' } },
          parameters: method.parameters,
          restore: (adapter: string) => ({ config: { [name]: { adapter } } }),
          stack: others,
        },
      ]),
    ),
  );
}

for (const [name, method] of Object.entries(METHODS)) {
  const checks = suite(name);
  for (const { name: check, run } of methodSuite({ createKernel, ...method })) checks(check, run);
  checks.run();
}
