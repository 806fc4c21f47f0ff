// Models by Hugging Face id, from a hub on 127.0.0.1: the standard cache, progress, resuming,
// refusals, and working offline.
import { lstat, mkdir, readFile, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ModelRequest } from '@lmflow/sdk/model';
import { modelOptions } from '../src/options.ts';
import { findFolder, isHubId } from '../src/source/find.ts';
import { FakeHub } from './fakehub.ts';
import {
  RecordingLog,
  loadFolder,
  modelFolder,
  removeFolders,
  temporaryFolder,
} from './folders.ts';
import { rejects } from './rejects.ts';

const VARIABLES = [
  'HF_ENDPOINT',
  'HF_HOME',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'HF_HUB_OFFLINE',
  'TRANSFORMERS_OFFLINE',
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'HF_TOKEN_PATH',
];
const test = suite('hub');
const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
let hub: FakeHub;
let home: string;
let log: RecordingLog;

test.before.each(async () => {
  for (const name of VARIABLES) Reflect.deleteProperty(process.env, name);
  const folder = await modelFolder('llama');
  await writeFile(join(folder, 'pytorch_model.bin'), 'never wanted');
  await writeFile(join(folder, 'README.md'), 'nor this');
  hub = await FakeHub.start(folder);
  home = await temporaryFolder();
  Object.assign(process.env, { HF_ENDPOINT: `${hub.endpoint}/`, HF_HOME: home });
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

const find = (
  request: Partial<ModelRequest> = {},
  options: Record<string, unknown> = {},
): ReturnType<typeof findFolder> =>
  findFolder(
    { source: 'test/tiny', role: 'policy', purpose: 'inference', ...request },
    modelOptions.parse(options),
    log,
  );

const weightRequests = (): (string | undefined)[] =>
  hub.requests
    .filter(({ path, range }) => path.endsWith('model.safetensors') && range !== 'bytes=0-0')
    .map(({ range }) => range);

/**
 * Waits until so much of the weights is on disk: what is on its way when a connection ends is lost,
 * as it may be.
 */
async function arrived(bytes: number): Promise<void> {
  const blobs = join(home, 'hub/models--test--tiny/blobs');
  for (;;) {
    const names = (await readdir(blobs)).filter((name) => name.endsWith('.incomplete'));
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(blobs, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    if (sizes.some((size) => size >= bytes)) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

test('a model is downloaded into the standard cache, with progress, and is loaded from there', async () => {
  const { folder, revision } = await find();
  assert.is(revision, hub.commit);
  assert.is(folder, join(home, 'hub', 'models--test--tiny', 'snapshots', hub.commit));
  assert.equal((await readdir(folder)).sort(), [
    'config.json',
    'generation_config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ]);
  assert.ok((await lstat(join(folder, 'model.safetensors'))).isSymbolicLink());
  assert.match(await realpath(join(folder, 'model.safetensors')), /blobs\/[0-9a-f]{40}$/);
  assert.is(await readFile(join(home, 'hub/models--test--tiny/refs/main'), 'utf8'), hub.commit);
  assert.ok(
    log.progressLines.some((line) =>
      /downloading test\/tiny: model\.safetensors 100% \(.* of .*, .*\/s\)/.test(line),
    ),
    log.progressLines.at(-1),
  );
  assert.is((await loadFolder(folder)).architecture.numLayers, 2);
});

test('what is in the cache is not downloaded again; a commit needs no network at all', async () => {
  await find();
  const asked = hub.requests.length;
  await find();
  assert.equal(
    hub.requests.slice(asked).map(({ path }) => path),
    ['/api/models/test/tiny/revision/main'],
  );
  await find({ revision: hub.commit });
  assert.is(hub.requests.length, asked + 1);
});

test('a tag is a revision; an unknown one is refused', async () => {
  assert.is((await find({ revision: 'v1' })).revision, hub.commit);
  assert.is(await readFile(join(home, 'hub/models--test--tiny/refs/v1'), 'utf8'), hub.commit);
  await rejects(
    find({ revision: 'v2' }),
    'LMFLOW_HUB_REVISION',
    /test\/tiny has no branch, tag or commit "v2"/,
  );
});

test('a connection that breaks is taken up again where it stopped', async () => {
  hub.behaviour = { breakAt: { file: 'model.safetensors', bytes: 20_000, times: 2, arrived } };
  const { folder } = await find();
  assert.equal(weightRequests(), [undefined, 'bytes=20000-', 'bytes=40000-']);
  await loadFolder(folder);
});

test('an aborted download is resumed by the next', async () => {
  hub.behaviour = { stallAt: { file: 'model.safetensors', bytes: 30_000 } };
  const controller = new AbortController();
  const loading = find({ signal: controller.signal });
  while (!log.progressLines.some((line) => line.includes('model.safetensors'))) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
  await arrived(30_000);
  controller.abort();
  await rejects(loading, undefined, /abort/i);
  hub.behaviour = {};
  const { folder } = await find();
  assert.equal(weightRequests(), [undefined, 'bytes=30000-']);
  await loadFolder(folder);
  assert.equal(
    (await readdir(join(home, 'hub/models--test--tiny/blobs'))).filter(
      (name) => !/^[0-9a-f]{40}$/.test(name),
    ),
    [],
  );
});

test('a server without ranges gets the file from its start', async () => {
  hub.behaviour = {
    ignoreRanges: true,
    breakAt: { file: 'model.safetensors', bytes: 30_000, times: 1, arrived },
  };
  await loadFolder((await find()).folder);
});

test('two loads at once download a file once', async () => {
  const [first, second] = await Promise.all([find(), find()]);
  assert.equal(first, second);
  assert.is(weightRequests().length, 1);
});

test('a lock of a process that is gone is taken over', async () => {
  const blobs = join(home, 'hub/models--test--tiny/blobs');
  await find();
  const [name] = await readdir(blobs);
  await rm(join(home, 'hub/models--test--tiny'), { recursive: true });
  await mkdir(blobs, { recursive: true });
  await writeFile(join(blobs, `${name!}.lock`), '999999999');
  await find();
});

test('a sharded model: only the shards of its index', async () => {
  await hub.close();
  hub = await FakeHub.start(await modelFolder('llama-sharded'));
  process.env['HF_ENDPOINT'] = hub.endpoint;
  const { folder } = await find();
  assert.equal((await readdir(folder)).filter((name) => name.includes('safetensors')).length, 3);
  await loadFolder(folder);
});

test('a model without safetensors is refused before anything large is downloaded', async () => {
  await hub.close();
  hub = await FakeHub.start(
    await modelFolder('llama', async (folder) => {
      await rm(join(folder, 'model.safetensors'));
      await writeFile(join(folder, 'pytorch_model.bin'), 'x');
    }),
  );
  process.env['HF_ENDPOINT'] = hub.endpoint;
  await rejects(
    find(),
    'LMFLOW_CHECKPOINT_PICKLE',
    /test\/tiny has its weights only as pytorch_model\.bin/,
  );
  assert.not(hub.requests.some(({ path }) => path.endsWith('.bin')));
});

test('the token goes to the hub, from HF_TOKEN or from where "hf auth login" puts it', async () => {
  hub.behaviour = { token: 'secret' };
  await rejects(find(), 'LMFLOW_HUB_DENIED', /test\/tiny is gated, and no token was given/);
  process.env['HF_TOKEN'] = 'wrong';
  await rejects(find(), 'LMFLOW_HUB_DENIED', /your token has no access/);
  Reflect.deleteProperty(process.env, 'HF_TOKEN');
  await writeFile(join(home, 'token'), 'secret\n');
  await find();
});

test('a model the hub does not have', async () => {
  hub.behaviour = { deny: [404, 'RepoNotFound'] };
  await rejects(
    find({ source: 'models/tiny' }),
    'LMFLOW_MODEL_NOT_FOUND',
    /"models\/tiny": http.* does not have it, and the folder .*models\/tiny does not exist/,
  );
  hub.behaviour = { deny: [401, 'RepoNotFound'] };
  await rejects(
    find({ source: 'models/tiny' }),
    'LMFLOW_HUB_DENIED',
    /it does not exist, or it is private or gated and no token/,
  );
});

test('a hub that is out of order', async () => {
  hub.behaviour = { deny: [503, ''] };
  await rejects(
    find(),
    'LMFLOW_HUB_FAILED',
    /listing test\/tiny on http.* failed: the server answered 503/,
  );
});

test('offline: from the cache, or an error that says what to do', async () => {
  process.env['HF_HUB_OFFLINE'] = '1';
  await rejects(
    find(),
    'LMFLOW_HUB_OFFLINE',
    /HF_HUB_OFFLINE is set, and the cache .* does not have it/,
  );
  Reflect.deleteProperty(process.env, 'HF_HUB_OFFLINE');
  await rejects(find({}, { localFilesOnly: true }), 'LMFLOW_HUB_OFFLINE', /localFilesOnly is set/);
  const { folder } = await find();
  const asked = hub.requests.length;
  process.env['HF_HUB_OFFLINE'] = 'yes';
  assert.is((await find()).folder, folder);
  assert.is((await find({ revision: hub.commit })).folder, folder);
  assert.is(hub.requests.length, asked);
  await rm(join(folder, 'model.safetensors'));
  await rejects(find(), 'LMFLOW_HUB_OFFLINE', /has only a part of it/);
});

test('without a network the cached copy is used, with a warning; without one it is an error', async () => {
  const { folder } = await find();
  await hub.close();
  assert.is((await find()).folder, folder);
  assert.match(log.warnings[0]!, /cannot be reached.*using the copy of test\/tiny/);
  const error = await rejects(
    find({ source: 'test/other' }),
    'LMFLOW_HUB_UNREACHABLE',
    /http:\/\/127\.0\.0\.1:\d+ cannot be reached: connect ECONNREFUSED/,
  );
  assert.match(error.hint!, /hf download.*HF_ENDPOINT/);
});

test('the cache folder: option, HF_HUB_CACHE, HF_HOME', async () => {
  const [option, variable] = [await temporaryFolder(), await temporaryFolder()];
  process.env['HF_HUB_CACHE'] = variable;
  assert.ok((await find()).folder.startsWith(variable));
  assert.ok((await find({}, { cacheDir: option })).folder.startsWith(option));
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
