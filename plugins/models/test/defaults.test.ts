// config.json with keys left out or null: what transformers' configuration classes have then
// (5.18), or an error that names the key.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Rows } from '@lmflow/sdk';
import { readBlueprint } from '../src/architecture/blueprint.ts';
import { ConfigReader } from '../src/architecture/config.ts';
import type { ModelFamily } from '../src/families/family.ts';
import { families } from '../src/families/index.ts';
import { editConfig, loadFolder, modelFolder, removeFolders } from './folders.ts';
import { rejects } from './rejects.ts';

const test = suite('defaults of config.json');
test.after(removeFolders);

const rows = {
  get: (name: string) => families.find((family) => family.name === name),
  names: () => families.map(({ name }) => name),
} as Rows<ModelFamily>;

const architectureOf = (config: Readonly<Record<string, unknown>>) =>
  readBlueprint(new ConfigReader('config.json', config), rows).architecture;

/** Of LlamaConfig() and its siblings: hidden, intermediate, layers, heads, kv heads, head_dim, vocabulary, positions, epsilon, tied. */
const DEFAULTS: Readonly<Record<string, readonly unknown[]>> = {
  llama: [4096, 11_008, 32, 32, 32, 128, 32_000, 2048, 1e-6, false],
  mistral: [4096, 14_336, 32, 32, 8, 128, 32_000, 131_072, 1e-6, false],
  qwen2: [4096, 22_016, 32, 32, 32, 128, 151_936, 32_768, 1e-6, false],
  qwen3: [4096, 22_016, 32, 32, 32, 128, 151_936, 32_768, 1e-6, false],
  gpt2: [768, 3072, 12, 12, 12, 64, 50_257, 1024, 1e-5, true],
};

for (const { name } of families) {
  test(`${name}: a config.json of nothing but its model_type`, () => {
    const found = architectureOf({ model_type: name });
    assert.equal(
      [
        found.hiddenSize,
        found.intermediateSize,
        found.numLayers,
        found.numHeads,
        found.numKeyValueHeads,
        found.headDim,
        found.vocabularySize,
        found.maxPositions,
        found.normEpsilon,
        found.tiedEmbeddings,
      ],
      DEFAULTS[name],
    );
    assert.is(found.rope?.theta, name === 'gpt2' ? undefined : 10_000);
  });
}

for (const { name, keys } of families) {
  test(`${name}: each key null, or of a wrong type, is a default or an error that names it`, () => {
    const named = [
      ...(Object.values(keys) as string[]),
      'num_key_value_heads',
      'head_dim',
      'vocab_size',
    ];
    const others = ['tie_word_embeddings', 'rope_theta', 'rope_scaling', 'rope_parameters'];
    const more = ['sliding_window', 'max_window_layers', 'layer_types', 'use_sliding_window'];
    for (const key of [...named, ...others, ...more]) {
      architectureOf({ model_type: name, [key]: null });
      for (const value of ['x', -1, 1.5, [], {}, true, 1e9, '']) {
        try {
          architectureOf({ model_type: name, [key]: value });
        } catch (error) {
          assert.match(String((error as { code?: string }).code), /^LMFLOW_MODEL_/);
          assert.match((error as Error).message, new RegExp(`${key}|num_|n_head|head_dim`));
        }
      }
    }
  });
}

test('case config-without-max-positions: absent or null, a model loads with 2048', async () => {
  for (const value of [undefined, null]) {
    const folder = await modelFolder('llama');
    await editConfig(folder, { max_position_embeddings: value });
    const { architecture } = await loadFolder(folder);
    assert.is(architecture.maxPositions, 2048);
  }
});

test('a model of a billion layers is refused at once', async () => {
  const folder = await modelFolder('llama');
  await editConfig(folder, { num_hidden_layers: 1e9 });
  await rejects(loadFolder(folder), 'LMFLOW_MODEL_CONFIG', /"num_hidden_layers" is 1000000000/);
  await editConfig(folder, { num_hidden_layers: 9000 });
  await rejects(loadFolder(folder), 'LMFLOW_TENSOR_MISSING', /model\.layers\./);
});

test.run();
