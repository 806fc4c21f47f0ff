// Datasets of the Hugging Face Hub, from a server of this test that speaks the hub's protocol:
// choosing files, the cache, being offline.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isHubId } from '../src/hub.ts';
import { all, failure, folder, keepingLog, load, removeFolders, tinyTokenizer } from './kit.ts';

const COMMIT = 'c'.repeat(40);
const CONVERTED = 'd'.repeat(40);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Files by repository and revision; `requests` keeps what was asked for. */
const files = new Map<string, Record<string, string>>();
const requests: string[] = [];
let server: Server;
let damage: ((content: string) => string) | undefined;
const kept = { ...process.env };

test.before(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x');
    requests.push(`${request.headers.authorization ?? 'nobody'} ${url.pathname}`);
    const answer = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    const info = /^\/api\/datasets\/([^/]+\/[^/]+)(?:\/revision\/(.+))?$/.exec(url.pathname);
    if (info) {
      const [id, revision] = [info[1]!, decodeURIComponent(info[2] ?? 'main')];
      if (id === 'me/gated') return answer(403, { error: 'gated' });
      const commit = revision.includes('convert') ? CONVERTED : COMMIT;
      return files.has(`${id}@${commit}`) && revision !== 'nope'
        ? answer(200, {
            _id: '1',
            id,
            sha: commit,
            private: false,
            downloads: 0,
            likes: 0,
            gated: false,
            lastModified: '2024-01-01T00:00:00Z',
          })
        : answer(404, { error: 'not found' });
    }
    const tree = /^\/api\/datasets\/([^/]+\/[^/]+)\/tree\/([^/]+)/.exec(url.pathname);
    if (tree) {
      return answer(
        200,
        Object.entries(files.get(`${tree[1]}@${tree[2]}`)!).map(([path, content]) => ({
          type: 'file',
          path,
          size: Buffer.byteLength(content),
          oid: 'x',
          lfs: { oid: sha256(content), size: Buffer.byteLength(content), pointerSize: 1 },
        })),
      );
    }
    const resolved = /^\/datasets\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const content =
      resolved && files.get(`${resolved[1]}@${resolved[2]}`)?.[decodeURIComponent(resolved[3]!)];
    if (content === null || content === undefined) return answer(404, { error: 'no such file' });
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    return answer(from > 0 ? 206 : 200, (damage?.(content) ?? content).slice(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.env['HF_ENDPOINT'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

test.before.each(() => {
  process.env['HF_HUB_CACHE'] = folder();
  delete process.env['HF_HUB_OFFLINE'];
  delete process.env['HF_TOKEN'];
  damage = undefined;
  files.clear();
  requests.length = 0;
});

test.after(() => {
  process.env = kept;
  server.closeAllConnections();
  server.close();
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
    ['owner/name', 'a-b/c_d.e', 'data/train.json', './x', 'x', '/a/b', 'a/b/c'].map(isHubId),
    [true, true, false, false, false, false, false],
  );
});

test('the training files of a dataset are downloaded once; evaluation takes the validation files; the token is sent', async () => {
  process.env['HF_TOKEN'] = 'secret';
  files.set(`me/data@${COMMIT}`, {
    'README.md': 'x',
    'data/train-00000-of-00002.jsonl': records('one'),
    'data/train-00001-of-00002.jsonl': records('two'),
    'data/validation.jsonl': records('three'),
    'data/test.jsonl': records('four'),
  });
  assert.equal(await read('me/data'), ['one', 'two']);
  assert.ok(requests.every((request) => request.startsWith('Bearer secret ')));
  const downloads = (): number =>
    requests.filter((request) => request.includes('/resolve/')).length;
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
  files.set(`me/data@${COMMIT}`, { 'train.jsonl': records('one') });
  await read('me/data');
  process.env['HF_HUB_OFFLINE'] = '1';
  requests.length = 0;
  assert.equal(await read('me/data'), ['one']);
  assert.is(requests.length, 0);
  const error = await failure(() => read('me/other'));
  assert.is(error.code, 'LMFLOW_DATASET_OFFLINE');
  assert.match(`${error.message} ${error.hint}`, /HF_HUB_OFFLINE is set.*local path/s);
});

test('a host that cannot be reached: the cache with a warning, or an error', async () => {
  files.set(`me/data@${COMMIT}`, { 'train.jsonl': records('one') });
  await read('me/data');
  const endpoint = process.env['HF_ENDPOINT']!;
  process.env['HF_ENDPOINT'] = 'http://127.0.0.1:9';
  try {
    const log = keepingLog();
    await load({ dataset: 'me/data' }, { log });
    assert.match(log.lines[0]!, /warning: http:\/\/127.0.0.1:9 cannot be reached/);
    assert.is((await failure(() => read('me/other'))).code, 'LMFLOW_DATASET_OFFLINE');
  } finally {
    process.env['HF_ENDPOINT'] = endpoint;
  }
});

test('subsets are folders or beginnings of names; several without a usual one must be chosen from', async () => {
  files.set(`me/sets@${COMMIT}`, {
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
  files.set(`me/named@${COMMIT}`, {
    'main-train.jsonl': records('m'),
    'extra-train.jsonl': records('e'),
  });
  assert.equal(await read({ path: 'me/named', subset: 'extra' }), ['e']);
});

test('a dataset that brings a script is taken from the branch of converted files', async () => {
  files.set(`me/script@${COMMIT}`, { 'script.py': 'x' });
  files.set(`me/script@${CONVERTED}`, {
    'default/train/0000.jsonl': records('converted'),
    'default/test/0000.jsonl': records('not'),
  });
  assert.equal(await read('me/script'), ['converted']);
  files.set(`me/none@${COMMIT}`, { 'script.py': 'x' });
  assert.match((await failure(() => read('me/none'))).message, 'no data files');
});

test('absent, gated and a wrong revision are errors that say so', async () => {
  files.set(`me/data@${COMMIT}`, { 'train.jsonl': records('one') });
  assert.match((await failure(() => read('me/absent'))).message, 'does not exist there (404)');
  assert.match((await failure(() => read('me/gated'))).message, 'HF_TOKEN');
  assert.is(
    (await failure(() => read({ path: 'me/data', revision: 'nope' }))).code,
    'LMFLOW_DATASET_HUB',
  );
});

test('a download that breaks off goes on where it stopped; a damaged one is thrown away', async () => {
  const content = records(...Array.from({ length: 50 }, (_, index) => `text ${index}`));
  files.set(`me/data@${COMMIT}`, { 'train.jsonl': content });
  const blobs = join(process.env['HF_HUB_CACHE']!, 'datasets--me--data', 'blobs');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, `${sha256(content)}.incomplete`), content.slice(0, 100));
  assert.is((await read('me/data')).length, 50);
  process.env['HF_HUB_CACHE'] = folder();
  damage = (text) => text.slice(0, 200);
  assert.match((await failure(() => read('me/data'))).message, '200 of');
  damage = (text) => text.replace('text 40', 'TEXT 40');
  assert.match((await failure(() => read('me/data'))).message, 'not what the hub announced');
  damage = undefined;
  assert.is((await read('me/data')).length, 50);
});

test.run();
