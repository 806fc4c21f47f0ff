// Options of config.json that change what is computed: each against transformers (fixtures/variants
// and rope.json, made by reference/variants.py).
import { readFileSync } from 'node:fs';
import { cp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSafetensors, writeSafetensors } from '@lmflow/sdk/formats';
import { ConfigReader } from '../src/architecture/config.ts';
import { readRope } from '../src/architecture/rope.ts';
import { ropeFrequencies, ropeTables } from '../src/build/rope-tables.ts';
import {
  RecordingLog,
  editConfig,
  fixtures,
  loadFolder,
  modelFolder,
  removeFolders,
  temporaryFolder,
  tinyTokenizer,
} from './folders.ts';
import { logits } from './traces.ts';

const test = suite('variants of the families');
test.after(removeFolders);

const variants = fileURLToPath(new URL('fixtures/variants/', import.meta.url));

async function variantFolder(name: string): Promise<string> {
  const folder = await temporaryFolder();
  for (const file of await readdir(join(variants, name))) {
    if (!file.startsWith('reference')) await cp(join(variants, name, file), join(folder, file));
  }
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tinyTokenizer()));
  return folder;
}

async function differenceFrom(folder: string, referenceFile: string): Promise<number> {
  const reference = await readSafetensors(referenceFile);
  const {
    shape: [batchSize, length],
    data: ids,
  } = reference.get('input_ids')! as { shape: readonly [number, number]; data: Float32Array };
  const expected = reference.get('logits')!.data;
  const found = await logits(await loadFolder(folder), { ids: [...ids], batchSize, length });
  const mask = reference.get('attention_mask')?.data;
  const vocabulary = expected.length / ids.length;
  return found.reduce(
    (largest, number, index) =>
      mask?.[Math.floor(index / vocabulary)] === 0
        ? largest
        : Math.max(largest, Math.abs(number - expected[index]!)),
    0,
  );
}

for (const name of await readdir(variants)) {
  test(name, async () => {
    const difference = await differenceFrom(
      await variantFolder(name),
      join(variants, name, 'reference.safetensors'),
    );
    assert.ok(difference < 1e-4, `logits differ by ${difference}`);
  });
}

test('the windows of each layer are in the architecture', async () => {
  const { architecture } = await loadFolder(await variantFolder('qwen3-biases'));
  assert.equal(architecture.layerWindows, [3, undefined, 3]);
  assert.is(architecture.window, 3);
  const mistral = await loadFolder(await modelFolder('mistral'));
  assert.is(mistral.architecture.window, 8);
  assert.is(mistral.architecture.layerWindows, undefined);
});

test('without layer_types the windows go by max_window_layers', async () => {
  const folder = await variantFolder('qwen2-window');
  await editConfig(folder, { layer_types: undefined });
  assert.equal((await loadFolder(folder)).architecture.layerWindows, [undefined, 4, 4]);
  await editConfig(folder, { use_sliding_window: false });
  assert.is((await loadFolder(folder)).architecture.window, undefined);
});

test('a mistral without a window (null) is not one with the default window', async () => {
  const none = await loadFolder(
    await modelFolder('mistral', (folder) => editConfig(folder, { sliding_window: null })),
  );
  assert.is(none.architecture.window, undefined);
  const unset = await loadFolder(
    await modelFolder('mistral', (folder) => editConfig(folder, { sliding_window: undefined })),
  );
  assert.is(unset.architecture.window, 4096);
});

test('GPT-2 without the prefix, with the mask buffers of old checkpoints', async () => {
  const folder = await modelFolder('gpt2', async (target) => {
    const tensors = await readSafetensors(join(target, 'model.safetensors'));
    const bare = [...tensors].map(
      ([name, tensor]) => [name.replace(/^transformer\./, ''), tensor] as const,
    );
    const buffers = [0, 1].flatMap(
      (layer) =>
        [
          [`h.${layer}.attn.bias`, { shape: [1, 1, 4, 4], data: new Float32Array(16) }],
          [`h.${layer}.attn.masked_bias`, { shape: [], data: new Float32Array(1) }],
        ] as const,
    );
    await writeSafetensors(join(target, 'model.safetensors'), [...bare, ...buffers]);
  });
  assert.ok((await differenceFrom(folder, join(fixtures, 'gpt2/reference.safetensors'))) < 1e-4);
  const { weights } = await loadFolder(folder);
  assert.ok(weights.has('transformer.h.0.attn.c_attn.weight'));
  assert.not(weights.has('transformer.h.0.attn.bias'));
});

test('rotary buffers of old checkpoints are passed over', async () => {
  await loadFolder(
    await modelFolder('llama', async (folder) => {
      const tensors = await readSafetensors(join(folder, 'model.safetensors'));
      await writeSafetensors(join(folder, 'model.safetensors'), [
        ...tensors,
        ['model.layers.0.self_attn.rotary_emb.inv_freq', { shape: [4], data: new Float32Array(4) }],
      ]);
    }),
  );
});

test('a head beside a tied embedding: the same numbers are left out, other ones are used', async () => {
  const withHead = (change: number): Promise<string> =>
    modelFolder('llama-tied', async (folder) => {
      const tensors = await readSafetensors(join(folder, 'model.safetensors'));
      const { shape, data } = tensors.get('model.embed_tokens.weight')!;
      await writeSafetensors(join(folder, 'model.safetensors'), [
        ...tensors,
        ['lm_head.weight', { shape, data: data.map((number) => number * change) }],
      ]);
    });
  const same = await loadFolder(await withHead(1));
  assert.ok(same.architecture.tiedEmbeddings);
  assert.not(same.weights.has('lm_head.weight'));
  const log = new RecordingLog();
  const other = await loadFolder(await withHead(2), log);
  assert.not(other.architecture.tiedEmbeddings);
  assert.is(other.config['tie_word_embeddings'], false);
  assert.ok(other.linears.some(({ name }) => name === 'lm_head'));
  assert.match(log.warnings[0]!, /another lm_head\.weight/);
});

test('linears say where they are and how they are stored', async () => {
  const gpt2 = await loadFolder(await modelFolder('gpt2'));
  assert.equal(gpt2.linears[0], {
    name: 'transformer.h.0.attn.c_attn',
    inFeatures: 32,
    outFeatures: 96,
    weight: 'transformer.h.0.attn.c_attn.weight',
    bias: 'transformer.h.0.attn.c_attn.bias',
    layout: 'in-out',
    layer: 0,
  });
  assert.is(gpt2.linears.length, 8);
  const llama = await loadFolder(await modelFolder('llama'));
  assert.equal(
    llama.linears.slice(0, 7).map(({ name }) => name.replace('model.layers.0.', '')),
    [
      'self_attn.q_proj',
      'self_attn.k_proj',
      'self_attn.v_proj',
      'self_attn.o_proj',
      'mlp.gate_proj',
      'mlp.up_proj',
      'mlp.down_proj',
    ],
  );
  assert.equal(llama.linears.at(-1), {
    name: 'lm_head',
    weight: 'lm_head.weight',
    layout: 'out-in',
    inFeatures: 32,
    outFeatures: 96,
  });
});

interface RopeCase {
  readonly maxPositions: number;
  readonly length: number;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly inverse: readonly number[];
  readonly attention: number;
}

for (const { maxPositions, length, parameters, inverse, attention } of JSON.parse(
  readFileSync(new URL('fixtures/rope.json', import.meta.url), 'utf8'),
) as RopeCase[]) {
  const { short_factor: _short, long_factor: _long, rope_theta: theta, ...shown } = parameters;
  for (const [style, values] of [
    ['rope_parameters', { rope_parameters: parameters }],
    [
      'rope_scaling',
      {
        rope_theta: theta,
        rope_scaling: { ...parameters, type: parameters['rope_type'], rope_type: undefined },
      },
    ],
  ] as const) {
    test(`rotary frequencies as transformers': ${style}, ${JSON.stringify(shown)}, length ${length}`, () => {
      const rope = readRope(
        new ConfigReader('config.json', { max_position_embeddings: maxPositions, ...values }),
        64,
        10_000,
      );
      const found = ropeFrequencies(rope, { length, maxPositions });
      assert.ok(
        Math.abs(found.attention - attention) < 1e-6,
        `attention factor ${found.attention}, expected ${attention}`,
      );
      found.inverse.forEach((number, pair) => {
        assert.ok(
          Math.abs(number / inverse[pair]! - 1) < 2e-6,
          `pair ${pair}: ${number}, expected ${inverse[pair]!}`,
        );
      });
    });
  }
}

test('tables begin with position 0 and carry the attention factor', () => {
  const rope = {
    theta: 10_000,
    dimensions: 4,
    scaling: {
      type: 'yarn',
      factor: 4,
      original_max_position_embeddings: 16,
      beta_fast: 32,
      beta_slow: 1,
      attention_factor: 0.5,
    },
  };
  const { cos, sin, length } = ropeTables(rope, { length: 3, maxPositions: 64 });
  assert.is(length, 3);
  assert.equal([...cos.subarray(0, 2), ...sin.subarray(0, 2)], [0.5, 0.5, 0, 0]);
  assert.is(cos.length, 6);
});

test.run();
