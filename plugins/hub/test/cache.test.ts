// `lmflow cache`: what it lists, what it deletes, and what it does not without being told.
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DoctorCheck, LMFlowError } from '@lmflow/sdk';
import { captureLog, createTestKernel, type CapturedLog } from 'lmflow/testing';
import hubPlugin, { type CacheResult } from '@lmflow/plugin-hub';
import { cacheCommand } from '../src/cache/command.ts';

const DAY = 24 * 3600 * 1000;
const VARIABLES = ['LMFLOW_CACHE', 'XDG_CACHE_HOME', 'HF_HOME', 'HF_HUB_CACHE'];
const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
let folder: string;
let log: CapturedLog;

const test = suite('cache');

/** A file of the caches, last used some days ago. */
async function file(path: string, bytes: number, days: number): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), new Uint8Array(bytes));
  const used = new Date(Date.now() - days * DAY);
  await utimes(join(folder, path), used, used);
}

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmflow-cache-'));
  for (const name of VARIABLES) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, {
    LMFLOW_CACHE: join(folder, 'own'),
    HF_HUB_CACHE: join(folder, 'shared'),
  });
  await file('own/qlora/one/a.bin', 1000, 40);
  await file('own/qlora/one/b.bin', 2000, 3);
  await file('own/qlora/two/a.bin', 500, 50);
  await file('own/datasets/x/tokens.bin', 1_200_000, 0);
  await mkdir(join(folder, 'own/empty'));
  await file('shared/models--a--b/blobs/x', 4_000_000, 1);
  await mkdir(join(folder, 'shared/models--a--b/snapshots/y'), { recursive: true });
  await symlink('../../blobs/x', join(folder, 'shared/models--a--b/snapshots/y/model.safetensors'));
});
test.after.each(() => rm(folder, { recursive: true }));
test.after(() => {
  for (const name of VARIABLES) {
    if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before[name];
  }
});

const left = async (): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
};

/** Runs the command as on a command line. */
async function run(...words: string[]): Promise<CacheResult> {
  const flags = words.filter((word) => word.startsWith('--'));
  const positionals = words.filter((word) => !word.startsWith('--'));
  const made = await createTestKernel({ plugins: [hubPlugin()] });
  log = made.log;
  const options = Object.fromEntries(
    flags.map((flag) => {
      const [name, value] = flag.slice(2).split('=');
      return [name!.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()), value ?? true];
    }),
  );
  try {
    const { result } = await made.kernel.run('cache', { positionals, options });
    return result;
  } finally {
    await made.kernel.close();
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing thrown',
    (error: LMFlowError) => error.code,
  );
}

test('lists what plugins keep and what was downloaded, with sizes and last use', async () => {
  const { folder: root, parts, deleted } = await run();
  assert.is(root, join(folder, 'own'));
  assert.equal(
    parts.map(({ name, bytes, entries }) => [name, bytes, entries]),
    [
      ['datasets', 1_200_000, 1],
      ['qlora', 3500, 2],
      ['hub', 4_000_000, 1],
    ],
  );
  assert.equal(deleted, { bytes: 0, entries: 0 });
  assert.equal(log.texts('table'), [
    [
      `cache ${join(folder, 'own')}`,
      'datasets: 1.2 MB in 1 entry, used today',
      'qlora: 4 kB in 2 entries, used 3 days ago',
      'together: 1.2 MB in 3 entries, used today',
    ].join('\n'),
    `hub ${join(folder, 'shared')}\ndownloads: 4.0 MB in 1 entry, used yesterday`,
  ]);
});

test('a cache that is not there is empty', async () => {
  await rm(join(folder, 'own'), { recursive: true });
  await rm(join(folder, 'shared'), { recursive: true });
  assert.equal((await run()).parts, []);
  assert.match(log.texts('table').join('\n'), /together: empty.*downloads: empty/s);
  assert.equal((await run('clear', '--yes')).deleted, { bytes: 0, entries: 0 });
  assert.equal(log.texts('info'), ['there is nothing to delete']);
});

test('clear deletes what plugins keep, and not what was downloaded', async () => {
  const { deleted } = await run('clear', '--yes');
  assert.equal(deleted, { bytes: 1_203_500, entries: 3 });
  assert.equal(log.texts('info'), ['deleted 1.2 MB in 3 entries, of datasets, qlora']);
  assert.equal(await left(), ['x']);
  assert.equal(await readdir(join(folder, 'own')), ['empty']);
});

test('clear with names deletes theirs alone; an unknown one is refused', async () => {
  assert.is(await codeOf(run('clear', 'datasets', 'qlor', '--yes')), 'LMFLOW_CACHE_UNKNOWN');
  assert.is((await left()).length, 5);
  await run('clear', 'qlora', '--yes');
  assert.equal((await left()).sort(), ['tokens.bin', 'x']);
});

test('clear with an age leaves what was used since', async () => {
  await run('clear', '--older-than=30d', '--yes');
  assert.equal((await left()).sort(), ['a.bin', 'b.bin', 'tokens.bin', 'x']);
  await run('clear', '--older-than=48h', '--hub', '--yes');
  assert.equal((await left()).sort(), ['tokens.bin', 'x']);
  await run('clear', '--older-than=2w', '--hub', '--yes');
  assert.equal((await left()).sort(), ['tokens.bin', 'x']);
});

test('downloads are deleted with --hub only', async () => {
  assert.is(await codeOf(run('clear', 'hub', '--yes')), 'LMFLOW_CACHE_SHARED');
  await run('clear', 'hub', '--hub', '--yes');
  assert.equal((await left()).sort(), ['a.bin', 'a.bin', 'b.bin', 'tokens.bin']);
});

test('what it does not know is refused, and so are flags that would be ignored', async () => {
  assert.is(await codeOf(run('delete')), 'LMFLOW_CACHE_ACTION');
  assert.is(await codeOf(run('--yes')), 'LMFLOW_CACHE_ACTION');
  assert.is((await left()).length, 5);
});

for (const [answer, deleted] of [
  ['y\n', true],
  ['\n', false],
  ['no\n', false],
] as const) {
  test(`at a terminal it asks: ${JSON.stringify(answer)}`, async () => {
    let asked = '';
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const output = new Writable({
      write(chunk: Buffer, _, done) {
        asked += chunk.toString();
        if (asked.includes('[y/N]')) input.write(answer);
        done();
      },
    });
    const command = cacheCommand({
      log: captureLog(),
      hubFolder: () => join(folder, 'shared'),
      input,
    });
    const outcome = command.run({
      positionals: ['clear'],
      options: { yes: false, hub: false },
      config: {},
      signal: new AbortController().signal,
      output,
    });
    assert.is(await codeOf(outcome), deleted ? 'nothing thrown' : 'LMFLOW_CACHE_UNCONFIRMED');
    assert.match(asked, 'Delete 1.2 MB in 3 entries, of datasets, qlora? [y/N]');
    assert.is((await left()).length, deleted ? 1 : 5);
  });
}

test('where there is no terminal, nothing is deleted without --yes', async () => {
  const command = cacheCommand({
    log: captureLog(),
    hubFolder: () => join(folder, 'shared'),
    input: new PassThrough(),
  });
  const outcome = command.run({
    positionals: ['clear'],
    options: { yes: false, hub: false },
    config: {},
    signal: new AbortController().signal,
    output: new PassThrough(),
  });
  assert.is(await codeOf(outcome), 'LMFLOW_CACHE_UNCONFIRMED');
  assert.is((await left()).length, 5);
});

test('an age is hours, days or weeks', async () => {
  const made = createTestKernel({ plugins: [hubPlugin()] });
  const { kernel } = await made;
  const schema = kernel.commands.get('cache')!.spec.options!;
  assert.ok(schema.safeParse({ olderThan: '30d' }).success);
  for (const olderThan of ['30', 'd', '-3d', '3y']) {
    assert.not(schema.safeParse({ olderThan }).success, olderThan);
  }
  await kernel.close();
});

test('doctor tells where the caches are and how large', async () => {
  const { kernel } = await createTestKernel({ plugins: [hubPlugin()] });
  const checks: DoctorCheck[] = [];
  await kernel.hooks.onDoctor.promise(checks);
  assert.equal(
    checks.map(({ subject, detail }) => [subject, detail]),
    [
      ['cache', `1.2 MB in ${join(folder, 'own')}`],
      ['hub', `4.0 MB in ${join(folder, 'shared')}`],
    ],
  );
  await kernel.close();
});

test.run();
