// The plugin through a kernel: what the model becomes, that a saved one is read back the same
// without the plugin, and what is refused.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { definePlugin, MODEL_WRITER, MODELS, type LMFlowError } from '@lmflow/sdk';
import type { Model, Trace } from '@lmflow/sdk/model';
import models from '@lmflow/plugin-models';
import { createTestKernel } from 'lmflow/testing';
import positionInterpolation, { ntkBase } from '../src/index.ts';

const LLAMA = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 32,
  intermediate_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  vocab_size: 4,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  hidden_act: 'silu',
};

function folderOf(config: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-positions-'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(
    join(folder, 'tokenizer.json'),
    JSON.stringify({
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: null,
      decoder: null,
      model: { type: 'WordLevel', vocab: { a: 0, b: 1, c: 2 }, unk_token: 'a' },
    }),
  );
  return folder;
}

/** Loads a folder, with the plugin where options are given, and hands the model to `use`. */
async function load<T>(
  folder: string,
  options: Record<string, unknown> | undefined,
  use: (model: Model, write: (directory: string) => Promise<unknown>) => T | Promise<T>,
): Promise<T> {
  const { kernel } = await createTestKernel({
    plugins: [models(), ...(options ? [positionInterpolation()] : [])],
    config: {
      model: folder,
      fromScratch: true,
      ...(options ? { positionInterpolation: options } : {}),
    },
  });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'training', source: folder });
    return await use(model, (directory) => kernel.resolve(MODEL_WRITER).write(model, directory));
  } finally {
    await kernel.close();
  }
}

const tables = (model: Model, length: number): { cos: Float32Array; sin: Float32Array } =>
  model.build.ropeTables({ model, length } as unknown as Trace);
const angles = (model: Model, length: number): number[] => {
  const { cos, sin } = tables(model, length);
  return [...cos].map((c, index) => Math.atan2(sin[index]!, c));
};

const KINDS: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>])[] = [
  ['linear', {}, { rope_type: 'linear', factor: 4 }],
  [
    'yarn',
    { betaFast: 16, attentionFactor: 1.2 },
    {
      rope_type: 'yarn',
      factor: 4,
      original_max_position_embeddings: 64,
      beta_fast: 16,
      beta_slow: 1,
      truncate: true,
      attention_factor: 1.2,
    },
  ],
  [
    'llama3',
    { highFreqFactor: 8 },
    {
      rope_type: 'llama3',
      factor: 4,
      low_freq_factor: 1,
      high_freq_factor: 8,
      original_max_position_embeddings: 64,
    },
  ],
  ['dynamic', {}, { rope_type: 'dynamic', factor: 4 }],
];

for (const [type, options, written] of KINDS) {
  for (const style of ['rope_scaling', 'rope_parameters']) {
    test(`${type}: the saved ${style} is read back without the plugin, with the same tables`, async () => {
      const { rope_theta: theta, ...rest } = LLAMA;
      const source =
        style === 'rope_scaling'
          ? LLAMA
          : { ...rest, rope_parameters: { rope_type: 'default', rope_theta: theta } };
      const saved = mkdtempSync(join(tmpdir(), 'lmflow-saved-'));
      const expected = await load(
        folderOf(source),
        { type, factor: 4, ...options },
        async (model, write) => {
          assert.is(model.architecture.maxPositions, 256);
          mkdirSync(saved, { recursive: true });
          await write(saved);
          return tables(model, 256);
        },
      );
      const config = JSON.parse(readFileSync(join(saved, 'config.json'), 'utf8')) as Record<
        string,
        unknown
      >;
      assert.equal(
        config[style],
        style === 'rope_scaling' ? written : { ...written, rope_theta: theta },
      );
      assert.is(config['max_position_embeddings'], type === 'dynamic' ? 64 : 256);
      assert.equal(await load(saved, undefined, (model) => tables(model, 256)), expected);
      assert.equal(
        await load(saved, { type, factor: 4, ...options }, (model) => tables(model, 256)),
        expected,
        'the plugin leaves a model that it has saved alone',
      );
    });
  }
}

test('linear: position 4 p turns as p did', async () => {
  const plain = await load(folderOf(LLAMA), undefined, (model) => tables(model, 64));
  const { cos } = await load(folderOf(LLAMA), { type: 'linear' }, (model) => tables(model, 256));
  for (let position = 0; position < 64; position++) {
    for (let pair = 0; pair < 8; pair++) {
      assert.ok(Math.abs(cos[position * 4 * 8 + pair]! - plain.cos[position * 8 + pair]!) < 1e-5);
    }
  }
});

test('ntk: a larger base is saved, the fastest pair stays and the slowest is divided by the factor', async () => {
  const plain = await load(folderOf(LLAMA), undefined, (model) => angles(model, 2));
  const found = await load(folderOf(LLAMA), { type: 'ntk', factor: 4 }, (model) => {
    assert.is(model.config['rope_theta'], ntkBase(10000, 16, 4));
    assert.not('rope_scaling' in model.config);
    return angles(model, 2);
  });
  assert.is(found[8], plain[8]);
  assert.ok(Math.abs((found[15]! * 4) / plain[15]! - 1) < 1e-5);
});

test('dynamic: up to the original length nothing changes', async () => {
  const plain = await load(folderOf(LLAMA), undefined, (model) => tables(model, 64));
  assert.equal(
    await load(folderOf(LLAMA), { type: 'dynamic' }, (model) => tables(model, 64)),
    plain,
  );
});

test('dynamic, token by token: each position as the last of its sequence', async () => {
  const cache = { layer: () => ({}) };
  const decoding = (model: Model): Float32Array =>
    model.build.ropeTables({ model, length: 1, contextLength: 128, cache } as unknown as Trace).cos;
  const row = (model: Model, position: number): Float32Array =>
    tables(model, position + 1).cos.slice(-8);
  await load(folderOf(LLAMA), { type: 'dynamic' }, (model) => {
    for (const position of [10, 63, 64, 100, 127]) {
      assert.equal(decoding(model).slice(8 * position, 8 * position + 8), row(model, position));
    }
  });
});

test('other plugins see one model, the stretched one, whatever the order of the list', async () => {
  const seen: Model[] = [];
  const early = definePlugin({
    name: 'early',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: ({ hooks }) => {
      hooks.onModelLoad.tap('shape', (model) => {
        seen.push(model);
      });
    },
  });
  const source = folderOf(LLAMA);
  const { kernel } = await createTestKernel({
    plugins: [models(), early, positionInterpolation()],
    config: { model: source, fromScratch: true, positionInterpolation: { factor: 2 } },
  });
  const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'training', source });
  assert.is(seen[0], model);
  assert.is(seen[0]!.architecture.maxPositions, 128);
  await kernel.close();
});

test('what cannot be meant is refused', async () => {
  const code = (folder: string, options: Record<string, unknown>): Promise<string> =>
    load(folder, options, () => 'loaded').catch((error: unknown) => (error as LMFlowError).code);
  const scaled = folderOf({ ...LLAMA, rope_scaling: { rope_type: 'linear', factor: 2 } });
  assert.is(await code(scaled, { type: 'yarn' }), 'LMFLOW_POSITIONS_STRETCHED');
  assert.is(await code(scaled, { type: 'ntk' }), 'LMFLOW_POSITIONS_STRETCHED');
  assert.is(await code(scaled, { type: 'linear', factor: 2 }), 'loaded');
  assert.is(await code(scaled, { enabled: false }), 'loaded');
  assert.is(
    await code(folderOf(LLAMA), { type: 'linear', betaFast: 3 }),
    'LMFLOW_POSITIONS_OPTION',
  );
  assert.is(
    await code(folderOf(LLAMA), { type: 'llama3', lowFreqFactor: 4 }),
    'LMFLOW_POSITIONS_OPTION',
  );
  assert.is(
    await code(
      folderOf({
        architectures: ['GPT2LMHeadModel'],
        model_type: 'gpt2',
        n_embd: 8,
        n_layer: 1,
        n_head: 2,
        n_positions: 16,
        vocab_size: 4,
      }),
      {},
    ),
    'LMFLOW_POSITIONS_NOT_ROTARY',
  );
});

test.run();
