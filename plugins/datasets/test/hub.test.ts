// Datasets of the Hugging Face Hub, from a server of this test that speaks the hub's protocol:
// choosing files, the cache, being offline.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeHub } from '@lmflow/sdk/testing';
import { isHubId } from '../src/sources/hub.ts';
import {
  all,
  failure,
  folder,
  keepingLog,
  load,
  removeFolders,
  tables,
  tinyTokenizer,
} from './kit.ts';

const COMMIT = 'c'.repeat(40);
const CONVERTED = 'd'.repeat(40);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const kept = { ...process.env };
let hub: FakeHub;

const add = (id: string, files: Record<string, string>, token?: string): unknown =>
  hub.add({ kind: 'dataset', id, files, commit: COMMIT, ...(token ? { token } : {}) });

test.before(async () => {
  hub = await FakeHub.start();
  process.env['HF_ENDPOINT'] = hub.endpoint;
});

test.before.each(() => {
  process.env['HF_HUB_CACHE'] = folder();
  process.env['HF_HOME'] = folder();
  for (const name of ['HF_HUB_OFFLINE', 'HF_DATASETS_OFFLINE', 'HF_TOKEN', 'HF_TOKEN_PATH']) {
    Reflect.deleteProperty(process.env, name);
  }
  hub.clear();
});

test.after(async () => {
  process.env = kept;
  await hub.close();
  removeFolders();
});

const records = (...texts: readonly string[]): string =>
  texts.map((text) => JSON.stringify({ text })).join('\n');
async function read(dataset: unknown, config: Record<string, unknown> = {}): Promise<string[]> {
  const tokenizer = await tinyTokenizer();
  const { train } = await load({ dataset, ...config }, { tokenizer });
  return all(train).map((sample) => tokenizer.decode(sample.inputIds, { skipSpecialTokens: true }));
}

test('an id is told from a path', () => {
  assert.equal(
    ['owner/name', 'a-b/c_d.e', 'data/train.json', './x', 'x', '/a/b', 'a/b/c'].map((id) =>
      isHubId(id, tables.readers),
    ),
    [true, true, false, false, false, false, false],
  );
});

test('the training files of a dataset are downloaded once; evaluation takes the validation files; the token is sent', async () => {
  process.env['HF_TOKEN'] = 'secret';
  add('me/data', {
    'README.md': 'x',
    'data/train-00000-of-00002.jsonl': records('one'),
    'data/train-00001-of-00002.jsonl': records('two'),
    'data/validation.jsonl': records('three'),
    'data/test.jsonl': records('four'),
  });
  assert.equal(await read('me/data'), ['one', 'two']);
  assert.ok(hub.requests.every(({ authorization }) => authorization === 'Bearer secret'));
  const downloads = (): number =>
    hub.requests.filter(({ path, range }) => path.includes('/resolve/') && range !== 'bytes=0-0')
      .length;
  assert.is(downloads(), 2);
  assert.equal(await read('me/data', { evalDataset: 'me/data' }), ['one', 'two']);
  assert.is(downloads(), 3);
  assert.equal(await read({ path: 'me/data', split: 'test' }), ['four']);
  assert.ok(
    existsSync(
      join(
        process.env['HF_HUB_CACHE']!,
        'datasets--me--data',
        'snapshots',
        COMMIT,
        'data',
        'test.jsonl',
      ),
    ),
  );
});

test('offline, what was downloaded is used; what was not is an error that says what to do', async () => {
  add('me/data', { 'train.jsonl': records('one') });
  await read('me/data');
  process.env['HF_HUB_OFFLINE'] = '1';
  hub.requests.length = 0;
  assert.equal(await read('me/data'), ['one']);
  assert.is(hub.requests.length, 0);
  const error = await failure(() => read('me/other'));
  assert.is(error.code, 'LMFLOW_HUB_OFFLINE');
  assert.match(`${error.message} ${error.hint}`, /HF_HUB_OFFLINE is set.*local path/s);
});

test('a host that cannot be reached: the cache with a warning, or an error', async () => {
  add('me/data', { 'train.jsonl': records('one') });
  await read('me/data');
  const endpoint = process.env['HF_ENDPOINT']!;
  process.env['HF_ENDPOINT'] = 'http://127.0.0.1:9';
  try {
    const log = keepingLog();
    await load({ dataset: 'me/data' }, { log });
    assert.match(log.lines[0]!, /warning: http:\/\/127.0.0.1:9 cannot be reached/);
    assert.is((await failure(() => read('me/other'))).code, 'LMFLOW_HUB_UNREACHABLE');
  } finally {
    process.env['HF_ENDPOINT'] = endpoint;
  }
});

test('subsets are folders or beginnings of names; several without a usual one must be chosen from', async () => {
  add('me/sets', {
    'en/train.jsonl': records('english'),
    'de/train.jsonl': records('deutsch'),
  });
  const error = await failure(() => read('me/sets'));
  assert.match(error.message, 'choose one with `subset`: de, en');
  assert.equal(await read({ path: 'me/sets', subset: 'de' }), ['deutsch']);
  assert.is(
    (await failure(() => read({ path: 'me/sets', subset: 'fr' }))).code,
    'LMFLOW_DATASET_SUBSET_UNKNOWN',
  );
  add('me/named', {
    'main-train.jsonl': records('m'),
    'extra-train.jsonl': records('e'),
  });
  assert.equal(await read({ path: 'me/named', subset: 'extra' }), ['e']);
});

test('a dataset that brings a script is taken from the branch of converted files', async () => {
  add('me/script', { 'script.py': 'x' });
  hub.add({
    kind: 'dataset',
    id: 'me/script',
    commit: CONVERTED,
    revisions: ['refs/convert/parquet'],
    files: {
      'default/train/0000.jsonl': records('converted'),
      'default/test/0000.jsonl': records('not'),
    },
  });
  assert.equal(await read('me/script'), ['converted']);
  add('me/none', { 'script.py': 'x' });
  assert.match((await failure(() => read('me/none'))).message, 'no data files');
});

test('absent, gated and a wrong revision are errors that say so', async () => {
  add('me/data', { 'train.jsonl': records('one') });
  const absent = await failure(() => read('me/absent'));
  assert.is(absent.code, 'LMFLOW_HUB_NOT_FOUND');
  assert.match(absent.message, 'lacks it, and no file or folder of this name exists');
  add('me/gated', { 'train.jsonl': records('two') }, 'secret');
  const gated = await failure(() => read('me/gated'));
  assert.is(gated.code, 'LMFLOW_HUB_DENIED');
  assert.match(gated.hint!, 'HF_TOKEN');
  // as `hf auth login` stores it
  writeFileSync(join(process.env['HF_HOME']!, 'token'), 'secret\n');
  assert.equal(await read('me/gated'), ['two']);
  assert.is(
    (await failure(() => read({ path: 'me/data', revision: 'nope' }))).code,
    'LMFLOW_HUB_REVISION',
  );
});

test('a download that breaks off goes on where it stopped; a damaged one is thrown away', async () => {
  const content = records(...Array.from({ length: 50 }, (_, index) => `text ${index}`));
  add('me/data', { 'train.jsonl': content });
  const blobs = join(process.env['HF_HUB_CACHE']!, 'datasets--me--data', 'blobs');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, `${sha256(content)}.incomplete`), content.slice(0, 100));
  assert.is((await read('me/data')).length, 50);
  process.env['HF_HUB_CACHE'] = folder();
  hub.behaviour = { damage: (text) => text.subarray(0, 200) };
  assert.match((await failure(() => read('me/data'))).message, '200 of');
  hub.behaviour = {
    damage: (text) => Buffer.from(text.toString().replace('text 40', 'TEXT 40')),
  };
  assert.match(
    (await failure(() => read('me/data'))).message,
    'does not have the hash that the hub announced',
  );
  hub.behaviour = {};
  assert.is((await read('me/data')).length, 50);
});

test.run();
