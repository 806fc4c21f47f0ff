// Models by Hugging Face id, from a hub on 127.0.0.1: which files of a repository are a model's, and
// what is no id. How they are downloaded is plugin hub's.
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HuggingFaceHub, hubOptions } from '@lmflow/plugin-hub';
import type { ModelRequest } from '@lmflow/sdk/model';
import { FakeHub } from '@lmflow/sdk/testing';
import { findFolder, isHubId } from '../src/source.ts';
import {
  RecordingLog,
  loadFolder,
  modelFolder,
  removeFolders,
  temporaryFolder,
} from './folders.ts';
import { rejects } from './rejects.ts';

const VARIABLES = ['HF_ENDPOINT', 'HF_HOME', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE', 'HF_TOKEN'];
const test = suite('hub');
const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
let hub: FakeHub;
let log: RecordingLog;
let commit: string;

/** Makes the hub's only model. */
async function serve(...folder: Parameters<typeof modelFolder>): Promise<void> {
  const path = await modelFolder(...folder);
  await writeFile(join(path, 'README.md'), 'never wanted');
  const contents = (await readdir(path)).map(
    async (name) => [name, await readFile(join(path, name))] as const,
  );
  hub.clear();
  const files = Object.fromEntries(await Promise.all(contents));
  commit = hub.add({ kind: 'model', id: 'test/tiny', files, revisions: ['main', 'v1'] });
}

test.before.each(async () => {
  for (const name of VARIABLES) Reflect.deleteProperty(process.env, name);
  hub = await FakeHub.start();
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HOME: await temporaryFolder() });
  log = new RecordingLog();
});
test.after.each(async () => {
  await hub.close();
});
test.after(async () => {
  for (const name of VARIABLES) {
    if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before[name];
  }
  await removeFolders();
});

const find = (request: Partial<ModelRequest> = {}): ReturnType<typeof findFolder> =>
  findFolder(
    { source: 'test/tiny', role: 'policy', purpose: 'inference', ...request },
    new Map(),
    () => new HuggingFaceHub(hubOptions.parse({}), log),
  );

test('of a model the config, the tokenizer and the safetensors are downloaded', async () => {
  await serve('llama', (folder) => writeFile(join(folder, 'pytorch_model.bin'), 'nor this'));
  const { folder, revision } = await find();
  assert.is(revision, commit);
  assert.equal((await readdir(folder)).sort(), [
    'config.json',
    'generation_config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ]);
  assert.is((await loadFolder(folder)).architecture.numLayers, 2);
  assert.is((await find({ revision: 'v1' })).revision, commit);
});

test('a sharded model: only the shards of its index', async () => {
  await serve('llama-sharded');
  const { folder } = await find();
  assert.equal((await readdir(folder)).filter((name) => name.includes('safetensors')).length, 3);
  await loadFolder(folder);
});

test('a model without safetensors is refused before anything large is downloaded', async () => {
  await serve('llama', async (folder) => {
    await rm(join(folder, 'model.safetensors'));
    await writeFile(join(folder, 'pytorch_model.bin'), 'x');
  });
  await rejects(
    find(),
    'LMFLOW_CHECKPOINT_PICKLE',
    /test\/tiny has its weights only in pickle files.*pytorch_model\.bin/,
  );
  assert.not(hub.requests.some(({ path }) => path.endsWith('.bin')));
  await serve('llama', (folder) => rm(join(folder, 'config.json')));
  await rejects(find(), 'LMFLOW_MODEL_NOT_FOUND', /it has no config\.json \(it has .*README/);
  assert.not(hub.requests.some(({ path }) => path.endsWith('.safetensors')));
});

test('offline, a model is whole or an error', async () => {
  for (const part of ['model.safetensors', 'config.json']) {
    await serve('llama');
    process.env['HF_HOME'] = await temporaryFolder();
    const { folder } = await find();
    process.env['HF_HUB_OFFLINE'] = '1';
    assert.is((await find()).folder, folder);
    await rm(join(folder, part));
    await rejects(find(), 'LMFLOW_HUB_OFFLINE', /has only a part of it/);
    Reflect.deleteProperty(process.env, 'HF_HUB_OFFLINE');
  }
  await serve('llama-sharded');
  process.env['HF_HOME'] = await temporaryFolder();
  const { folder } = await find();
  process.env['HF_HUB_OFFLINE'] = '1';
  const shard = (await readdir(folder)).find((name) => name.includes('-of-'))!;
  await rm(join(folder, shard));
  await rejects(find(), 'LMFLOW_HUB_OFFLINE', /has only a part of it/);
});

test('a model that is neither on the hub nor here', async () => {
  await rejects(
    find({ source: 'models/tiny' }),
    'LMFLOW_HUB_NOT_FOUND',
    /"models\/tiny": http.* lacks it, and the folder .*models\/tiny does not exist/,
  );
});

test('names that are no ids are local folders that do not exist', async () => {
  for (const source of [
    './models/tiny',
    '/models/tiny',
    'a/b/c',
    '~/tiny',
    '../tiny',
    'models/tiny/',
  ]) {
    assert.not(isHubId(source), source);
    await rejects(find({ source }), 'LMFLOW_MODEL_NOT_FOUND', /the folder .* does not exist/);
  }
  for (const source of ['gpt2', 'meta-llama/Llama-3.2-1B', 'Qwen/Qwen2.5-0.5B']) {
    assert.ok(isHubId(source), source);
  }
  await rejects(
    find({ source: join(process.cwd(), 'package.json') }),
    'LMFLOW_MODEL_NOT_FOUND',
    /package\.json is a file/,
  );
  assert.is(hub.requests.length, 0);
});

test.run();
