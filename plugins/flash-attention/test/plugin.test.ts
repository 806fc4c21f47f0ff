// Which attention the plugin gives a model: its own from `flashAttention.from` tokens on, the model's before that and with a cache.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { definePlugin, type Model } from '@lmflow/sdk';
import { Graph, type Value } from '@lmflow/sdk/graph';
import flashAttention, { tileSize, type FlashAttentionOptions } from '../src/index.ts';

const models = definePlugin({ name: '@lmflow/plugin-models', version: '1.0.0', sdk: '^1.0.0', apply: () => { /* in the place of the real one */ } });

/** The ops of the attention of `length` tokens; 'plain' stands for the model's own. */
async function ops(options: Partial<FlashAttentionOptions>, length: number, cache?: object): Promise<string[]> {
  const { kernel } = await createTestKernel({ plugins: [models, flashAttention(options)] });
  const plain = { build: { attention: (_: unknown, { q }: { q: Value }) => q } } as unknown as Model;
  const model = await kernel.hooks.onModelLoad.promise(plain, { role: 'policy', purpose: 'training', source: '' });
  const graph = new Graph();
  const [q, k, v] = [2, 1, 1].map((heads, index) => graph.input('qkv'[index]!, 'float32', [1, length, heads, 4])) as [Value, Value, Value];
  const result = model.build.attention({} as never, { q, k, v, ...(cache ? { cache } : {}) } as never);
  await kernel.close();
  return result === q ? ['plain'] : graph.nodes.map(({ op }) => op.name.replace('@lmflow/plugin-flash-attention/', ''));
}

test('plain below `from`, with a cache and where switched off; flash otherwise', async () => {
  assert.ok((await ops({}, 4096)).includes('flashAttention'));
  assert.equal(await ops({}, 4095), ['plain']);
  assert.ok((await ops({ from: 8 }, 8)).includes('flashAttention'));
  assert.equal(await ops({ from: 8 }, 8, {}), ['plain']);
  assert.equal(await ops({ enabled: false }, 4096), ['plain']);
});

test('tiles: as many rows in a product whatever the heads; their number grows with the length, not with its square', () => {
  assert.equal(tileSize({ length: 4096, heads: 8, groups: 4, window: 4096 }), { queries: 256, keys: 512 });
  assert.equal(tileSize({ length: 16384, heads: 8, groups: 4, window: 16384 }), { queries: 256, keys: 2048 });
  assert.equal(tileSize({ length: 4096, heads: 9, groups: 3, window: 4096 }), { queries: 128, keys: 1024 });
  assert.equal(tileSize({ length: 4096, heads: 8, groups: 4, window: 256 }), { queries: 256, keys: 256 });
  assert.equal(tileSize({ length: 5000, heads: 32, groups: 4, window: 5000 }), { queries: 64, keys: 2560 });
});

test.run();
