// A model that a plugin brings: found by its name, after folders and before the hub.
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { MODELS, MODEL_SOURCES, definePlugin } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import models from '../src/index.ts';
import { modelFolder, removeFolders, temporaryFolder } from './folders.ts';

const test = suite('models of plugins');
test.after(removeFolders);

async function loaded(source: string, folder: string): Promise<Model> {
  const bringing = definePlugin({
    name: 'test-bringing',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply(context) {
      context.contribute(MODEL_SOURCES, { name: 'brought', summary: 'a tiny one', folder });
    },
  });
  const { kernel } = await createTestKernel({ plugins: [models(), bringing()] });
  try {
    return await kernel.resolve(MODELS).load({ source, role: 'policy', purpose: 'inference' });
  } finally {
    await kernel.close();
  }
}

test('its name loads its folder, and needs no hub', async () => {
  const folder = await modelFolder('llama');
  const model = await loaded('brought', folder);
  assert.is(model.folder, folder);
  assert.is(model.source, 'brought');
});

test('a folder of that name comes first', async () => {
  const scratch = await temporaryFolder();
  const own = join(scratch, 'brought');
  await mkdir(own);
  await cp(await modelFolder('llama'), own, { recursive: true });
  const before = process.cwd();
  process.chdir(scratch);
  try {
    const model = await loaded('brought', join(scratch, 'nowhere'));
    assert.match(model.folder, /brought$/);
  } finally {
    process.chdir(before);
  }
});

test.run();
