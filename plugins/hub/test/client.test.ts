// Models and data sets by Hugging Face id, from a hub on 127.0.0.1: the standard cache, progress,
// resuming, refusals, and working offline.
import { createHash } from 'node:crypto';
import {
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HUB, inputError, type HubRequest, type HubSnapshot, type LMFlowError } from '@lmflow/sdk';
import { FakeHub } from '@lmflow/sdk/testing';
import { createTestKernel, type CapturedLog } from 'lmflow/testing';
import hubPlugin from '@lmflow/plugin-hub';

const VARIABLES = [
  'HF_ENDPOINT',
  'HF_HOME',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'HF_HUB_OFFLINE',
  'HF_DATASETS_OFFLINE',
  'TRANSFORMERS_OFFLINE',
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'HF_TOKEN_PATH',
];
const LARGE = 'weights.bin';
const files = {
  'config.json': '{}',
  [LARGE]: Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 251)),
  'deep/few words.txt': 'found',
  'README.md': 'never wanted',
};
const wanted = ['config.json', LARGE, 'deep/few words.txt'];
const hash = createHash('sha256').update(files[LARGE]).digest('hex');

const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
const folders: string[] = [];
let hub: FakeHub;
let home: string;
let log: CapturedLog;
let commit: string;

const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'lmflow-hub-'));
  folders.push(folder);
  return folder;
};

async function snapshot(
  request: Partial<HubRequest> = {},
  options: Record<string, unknown> = {},
): Promise<HubSnapshot> {
  const test = await createTestKernel({ plugins: [hubPlugin(options)] });
  log = test.log;
  try {
    return await test.kernel.resolve(HUB).snapshot({
      kind: 'model',
      id: 'test/tiny',
      choose: async (names) => {
        const missing = wanted.filter((name) => !names.includes(name));
        if (missing.length > 0) throw inputError('LMFLOW_TEST_MISSING', missing.join());
        return wanted;
      },
      notLocal: 'the folder x does not exist',
      ...request,
    });
  } finally {
    await test.kernel.close();
  }
}

async function rejects(
  promise: Promise<unknown>,
  code: string | undefined,
  message: RegExp,
): Promise<LMFlowError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, Error, 'nothing was thrown');
  const { code: found, message: text } = error as LMFlowError;
  if (code !== undefined) assert.is(found, code, `${String(found)}: ${text}`);
  assert.match(text, message);
  assert.not.match(text, /\n\s+at |undefined|\[object/);
  return error as LMFlowError;
}

const largeRequests = (): (string | undefined)[] =>
  hub.requests
    .filter(({ path, range }) => path.endsWith(LARGE) && range !== 'bytes=0-0')
    .map(({ range }) => range);
const repository = (kind: HubRequest['kind']): string => join(home, `hub/${kind}s--test--tiny`);
const progress = (): string[] => log.texts('progress');

/**
 * Waits until so much of the large file is on disk: what is on its way when a connection ends is
 * lost, as it may be.
 */
async function arrived(bytes: number): Promise<void> {
  const path = join(repository('model'), 'blobs', `${hash}.incomplete`);
  for (;;) {
    const { size } = await stat(path).catch(() => ({ size: 0 }));
    if (size >= bytes) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

const test = suite('hub');

test.before.each(async () => {
  for (const name of VARIABLES) Reflect.deleteProperty(process.env, name);
  hub = await FakeHub.start();
  commit = hub.add({ kind: 'model', id: 'test/tiny', files, revisions: ['main', 'v1'] });
  hub.add({ kind: 'dataset', id: 'test/tiny', files, commit, revisions: ['main', 'v1'] });
  home = await temporaryFolder();
  Object.assign(process.env, { HF_ENDPOINT: `${hub.endpoint}/`, HF_HOME: home });
});
test.after.each(async () => {
  await hub.close();
});
test.after(async () => {
  for (const name of VARIABLES) {
    if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before[name];
  }
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

for (const kind of ['model', 'dataset'] as const) {
  test(`a ${kind} comes into the standard cache, with progress; what is not wanted does not`, async () => {
    const found = await snapshot({ kind });
    const folder = join(repository(kind), 'snapshots', commit);
    assert.equal(found, { folder, commit, files: wanted });
    assert.equal((await readdir(folder)).sort(), ['config.json', 'deep', LARGE]);
    assert.is(await readFile(join(folder, 'deep/few words.txt'), 'utf8'), 'found');
    assert.ok((await lstat(join(folder, LARGE))).isSymbolicLink());
    assert.match(await realpath(join(folder, LARGE)), new RegExp(`blobs/${hash}$`));
    assert.is(await readFile(join(repository(kind), 'refs/main'), 'utf8'), commit);
    assert.ok(
      progress().some((line) =>
        /downloading test\/tiny: weights\.bin 100% \(100 kB of 100 kB, .*\/s\)/.test(line),
      ),
      progress().at(-1),
    );
    assert.equal(
      (await readdir(join(repository(kind), 'blobs'))).filter(
        (name) => !/^[0-9a-f]{64}$/.test(name),
      ),
      [],
    );
  });

  test(`a gated ${kind}: the token goes to the hub, from HF_TOKEN or from "hf auth login"`, async () => {
    hub.clear();
    hub.add({ kind, id: 'test/tiny', files, token: 'secret' });
    const refused = await rejects(
      snapshot({ kind }),
      'LMFLOW_HUB_DENIED',
      /test\/tiny is gated, and no token was given/,
    );
    const page = `${hub.endpoint}/${kind === 'model' ? '' : 'datasets/'}test/tiny`;
    assert.ok(
      refused.hint!.includes(`terms on ${page}, then log in (hf auth login)`),
      refused.hint,
    );
    process.env['HF_TOKEN'] = 'wrong';
    await rejects(snapshot({ kind }), 'LMFLOW_HUB_DENIED', /your token has no access/);
    process.env['HF_TOKEN'] = 'secret';
    await snapshot({ kind });
    Reflect.deleteProperty(process.env, 'HF_TOKEN');
    await rm(join(home, 'hub'), { recursive: true });
    await writeFile(join(home, 'token'), 'secret\n');
    await snapshot({ kind });
    await rm(join(home, 'hub'), { recursive: true });
    await writeFile(join(home, 'elsewhere'), 'secret\n');
    await rm(join(home, 'token'));
    process.env['HF_TOKEN_PATH'] = join(home, 'elsewhere');
    await snapshot({ kind });
  });

  test(`a tag of a ${kind} is a revision; an unknown one is refused`, async () => {
    assert.is((await snapshot({ kind, revision: 'v1' })).commit, commit);
    assert.is(await readFile(join(repository(kind), 'refs/v1'), 'utf8'), commit);
    await rejects(
      snapshot({ kind, revision: 'v2' }),
      'LMFLOW_HUB_REVISION',
      /test\/tiny has no branch, tag or commit "v2"/,
    );
  });

  test(`a ${kind} the hub does not have`, async () => {
    await rejects(
      snapshot({ kind, id: 'test/other' }),
      'LMFLOW_HUB_NOT_FOUND',
      /"test\/other": http.* lacks it, and the folder x does not exist/,
    );
    hub.behaviour = { deny: [401, 'RepoNotFound'] };
    await rejects(
      snapshot({ kind, id: 'test/other' }),
      'LMFLOW_HUB_DENIED',
      /it does not exist, or it is private or gated and no token/,
    );
  });

  test(`a ${kind} offline: from the cache, or an error that says what to do`, async () => {
    process.env['HF_HUB_OFFLINE'] = '1';
    await rejects(
      snapshot({ kind }),
      'LMFLOW_HUB_OFFLINE',
      /HF_HUB_OFFLINE is set, and the cache .* does not have it/,
    );
    Reflect.deleteProperty(process.env, 'HF_HUB_OFFLINE');
    process.env[kind === 'model' ? 'TRANSFORMERS_OFFLINE' : 'HF_DATASETS_OFFLINE'] = '1';
    await rejects(snapshot({ kind }), 'LMFLOW_HUB_OFFLINE', /S_OFFLINE is set/);
    Reflect.deleteProperty(process.env, 'TRANSFORMERS_OFFLINE');
    Reflect.deleteProperty(process.env, 'HF_DATASETS_OFFLINE');
    await rejects(
      snapshot({ kind }, { localFilesOnly: true }),
      'LMFLOW_HUB_OFFLINE',
      /localFilesOnly is set/,
    );
    assert.is(hub.requests.length, 0);
    const found = await snapshot({ kind });
    const asked = hub.requests.length;
    process.env['HF_HUB_OFFLINE'] = 'yes';
    assert.equal(await snapshot({ kind }), found);
    assert.equal(await snapshot({ kind, revision: commit }), found);
    assert.is(hub.requests.length, asked);
    await rm(join(found.folder, LARGE));
    await rejects(snapshot({ kind }), 'LMFLOW_HUB_OFFLINE', /has only a part of it/);
  });

  test(`a ${kind} without a network: the cached copy with a warning, or an error`, async () => {
    const found = await snapshot({ kind });
    await hub.close();
    assert.equal(await snapshot({ kind }), found);
    assert.match(log.texts('warn')[0]!, /cannot be reached.*using the copy of test\/tiny/);
    const error = await rejects(
      snapshot({ kind, id: 'test/other' }),
      'LMFLOW_HUB_UNREACHABLE',
      /http:\/\/127\.0\.0\.1:\d+ cannot be reached: connect ECONNREFUSED/,
    );
    assert.match(error.hint!, /HF_ENDPOINT to a mirror.*hf download test\/other.*local path/);
  });
}

test('what is in the cache is not downloaded again; a commit of a model needs no network at all', async () => {
  await snapshot();
  const asked = hub.requests.length;
  await snapshot();
  assert.equal(
    hub.requests.slice(asked).map(({ path }) => path),
    ['/api/models/test/tiny/revision/main'],
  );
  await snapshot({ revision: commit });
  assert.is(hub.requests.length, asked + 1);
});

test('a commit of a data set is completed, whatever is there: nothing in it says what belongs to it', async () => {
  const choose = async (names: readonly string[]): Promise<string[]> =>
    names.filter((name) => name.endsWith('.txt') || name.endsWith('.json'));
  const only = async (): Promise<string[]> => ['config.json'];
  await snapshot({ kind: 'dataset', revision: commit, choose: only });
  const { files: found } = await snapshot({ kind: 'dataset', revision: commit, choose });
  assert.equal(found, ['config.json', 'deep/few words.txt']);
});

test('a file may decide about others', async () => {
  const { folder } = await snapshot({
    choose: async (_, get) => {
      const path = await get('deep/few words.txt');
      return (await readFile(path, 'utf8')) === 'found' ? ['config.json'] : [];
    },
  });
  assert.equal((await readdir(folder)).sort(), ['config.json', 'deep']);
});

test('where nothing is chosen, no revision is noted', async () => {
  const { files: none } = await snapshot({ choose: async () => [] });
  assert.equal(none, []);
  assert.equal(await readdir(join(home)), []);
});

test('a connection that breaks is taken up again where it stopped', async () => {
  hub.behaviour = { breakAt: { file: LARGE, bytes: 20_000, times: 2, arrived } };
  const { folder } = await snapshot();
  assert.equal(largeRequests(), [undefined, 'bytes=20000-', 'bytes=40000-']);
  assert.ok((await readFile(join(folder, LARGE))).equals(files[LARGE]));
});

test('an aborted download is resumed by the next', async () => {
  hub.behaviour = { stallAt: { file: LARGE, bytes: 30_000 } };
  const controller = new AbortController();
  const loading = snapshot({ signal: controller.signal });
  await arrived(30_000);
  controller.abort();
  await rejects(loading, undefined, /abort/i);
  hub.behaviour = {};
  const { folder } = await snapshot();
  assert.equal(largeRequests(), [undefined, 'bytes=30000-']);
  assert.ok((await readFile(join(folder, LARGE))).equals(files[LARGE]));
  assert.equal(
    (await readdir(join(repository('model'), 'blobs'))).filter(
      (name) => !/^[0-9a-f]{64}$/.test(name),
    ),
    [],
  );
});

test('a server without ranges gets the file from its start', async () => {
  hub.behaviour = {
    ignoreRanges: true,
    breakAt: { file: LARGE, bytes: 30_000, times: 1, arrived },
  };
  const { folder } = await snapshot();
  assert.ok((await readFile(join(folder, LARGE))).equals(files[LARGE]));
});

test('what is not what the hub announced is thrown away', async () => {
  hub.behaviour = { damage: (content) => Buffer.alloc(content.length) };
  await rejects(snapshot(), 'LMFLOW_HUB_FAILED', /does not have the hash that the hub announced/);
  hub.behaviour = {};
  const { folder } = await snapshot();
  assert.ok((await readFile(join(folder, LARGE))).equals(files[LARGE]));
});

test('two loads at once download a file once', async () => {
  const [first, second] = await Promise.all([snapshot(), snapshot()]);
  assert.equal(first, second);
  assert.is(largeRequests().length, 1);
});

test('a lock of a process that is gone is taken over', async () => {
  const blobs = join(repository('model'), 'blobs');
  await mkdir(blobs, { recursive: true });
  await writeFile(join(blobs, `${hash}.lock`), '999999999');
  await snapshot();
});

test('a hub that is out of order', async () => {
  hub.behaviour = { deny: [503, ''] };
  await rejects(
    snapshot(),
    'LMFLOW_HUB_FAILED',
    /listing test\/tiny on http.* failed: the server answered 503/,
  );
});

test('a name that leads out of the cache is refused', async () => {
  for (const name of ['../../x', '/etc/x', 'a\\b', 'a/../../x']) {
    hub.clear();
    hub.add({ kind: 'model', id: 'test/tiny', files: { ...files, [name]: 'x' } });
    await rejects(snapshot(), 'LMFLOW_HUB_FILE', /lies outside its folder/);
  }
});

test('a cache that cannot be written says so', async () => {
  const file = join(await temporaryFolder(), 'file');
  await writeFile(file, '');
  const error = await rejects(
    snapshot({}, { cacheDir: join(file, 'cache') }),
    'LMFLOW_CACHE_UNWRITABLE',
    /the cache .*file\/cache cannot be written: ENOTDIR/,
  );
  assert.match(error.hint!, /Set cacheDir \(or HF_HOME\)/);
});

test('the cache folder: option, HF_HUB_CACHE, HF_HOME', async () => {
  const [option, variable] = [await temporaryFolder(), await temporaryFolder()];
  process.env['HF_HUB_CACHE'] = variable;
  assert.ok((await snapshot()).folder.startsWith(variable));
  assert.ok((await snapshot({}, { cacheDir: option })).folder.startsWith(option));
});

test('a token has no place in a configuration', async () => {
  await rejects(
    createTestKernel({ plugins: [hubPlugin()], config: { hfToken: 'x' } }),
    'LMFLOW_OPTION_UNSUPPORTED',
    /HF_TOKEN/,
  );
});

test.run();
