// Which attention the plugin gives a model: its own from `flashAttention.from` tokens on, the
// model's before that and with a cache.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import type { Model } from '@lmflow/sdk/model';
import { Graph, type Value } from '@lmflow/sdk/graph';
import flashAttention, { tileSize, type FlashAttentionOptions } from '../src/index.ts';
import { modelsInPlace } from './models.ts';

/** The ops of the attention of `length` tokens; 'plain' stands for the model's own. */
async function ops(
  options: Partial<FlashAttentionOptions>,
  length: number,
  cache?: object,
): Promise<string[]> {
  const { kernel } = await createTestKernel({ plugins: [modelsInPlace, flashAttention(options)] });
  const model = {
    build: { attention: (_: unknown, { q }: { q: Value }) => q },
    wraps: [],
  } as unknown as Model;
  await kernel.hooks.onModelLoad.promise(model, {
    role: 'policy',
    purpose: 'training',
    source: '',
  });
  const graph = new Graph();
  const [q, k, v] = [2, 1, 1].map((heads, index) =>
    graph.input('qkv'[index]!, 'float32', [1, length, heads, 4]),
  ) as [Value, Value, Value];
  const result = model.build.attention(
    {} as never,
    { q, k, v, ...(cache ? { cache } : {}) } as never,
  );
  await kernel.close();
  return result === q
    ? ['plain']
    : graph.nodes.map(({ op }) => op.name.replace('@lmflow/plugin-flash-attention/', ''));
}

test('plain below `from`, with a cache and where switched off; flash otherwise', async () => {
  assert.ok((await ops({}, 4096)).includes('flashAttention'));
  assert.equal(await ops({}, 4095), ['plain']);
  assert.ok((await ops({ from: 8 }, 8)).includes('flashAttention'));
  assert.equal(await ops({ from: 8 }, 8, {}), ['plain']);
  assert.equal(await ops({ enabled: false }, 4096), ['plain']);
});

test('tiles: the scores of a key head are about 2 MB whatever the heads', () => {
  assert.is(tileSize({ length: 4096, heads: 8, groups: 4 }), 512);
  assert.is(tileSize({ length: 16384, heads: 8, groups: 4 }), 512);
  assert.is(tileSize({ length: 4096, heads: 32, groups: 4 }), 256);
  assert.is(tileSize({ length: 100, heads: 9, groups: 3 }), 100);
});

test.run();
