// The plugin in a kernel: its keys, its service, and that every key is described.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import chatTemplates from '@lmflow/plugin-chat-templates';
import { SAMPLES, definePlugin } from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';
import datasets, { DATASETS, datasetOptions } from '../src/index.ts';
import { file, folder, removeFolders, tinyTokenizer } from './kit.ts';

test('every key is described', () => {
  for (const [key, schema] of Object.entries(datasetOptions.shape)) {
    assert.ok(schema.description, key);
  }
});

test('a kernel with the plugin loads samples, keys under aliases and taps included', async () => {
  const data = file('a.json', [
    { input: 'q', output: ' a' },
    { input: 'long', output: 'x'.repeat(100) },
  ]);
  let taps = 0;
  const tapping = definePlugin({
    name: 'tapping',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: ({ hooks }) =>
      hooks.onDataset.tap((dataset) => {
        taps++;
        return dataset;
      }),
  });
  const { kernel, log } = await createTestKernel({
    plugins: [chatTemplates(), datasets(), tapping()],
    config: { dataset: data, maxLength: 40, datasetCacheDir: folder() },
  });
  const { train } = await kernel
    .resolve(SAMPLES)
    .load({ tokenizer: await tinyTokenizer(), maxPositions: 64 });
  assert.is(taps, 1);
  assert.equal([train.length, train.statistics.truncated], [2, 1]);
  assert.ok(log.texts('info').includes('a.json: text2text, 2 records'));
  const { train: records } = await kernel.resolve(DATASETS).open();
  assert.is(records.kind, 'completion');
  await kernel.close();
});

test.after(removeFolders);
test.run();
