// Files and folders that appear whole or not at all, what a full disk says, and the cache.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isLMFlowError } from '@lmflow/sdk';
import {
  cacheFolder,
  derivedFile,
  readWhole,
  readWholeSync,
  removeAsides,
  writeFileAtomic,
  writeFileInParts,
  writeFilesInto,
  writeFolder,
} from '@lmflow/sdk/files';
import type { FileWeight } from '@lmflow/sdk/graph';

const folder = mkdtempSync(join(tmpdir(), 'lmflow-files-'));
let count = 0;
const place = (): string => {
  const path = join(folder, String(count++));
  mkdirSync(path);
  return path;
};
const text = (path: string): string => readFileSync(path, 'utf8');
const noSpace = (): Error =>
  Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });

async function codeAndMessage(promise: Promise<unknown>): Promise<[string, string]> {
  try {
    await promise;
  } catch (error) {
    return [isLMFlowError(error) ? error.code : 'none', (error as Error).message];
  }
  return ['nothing thrown', ''];
}

test.after(() => {
  rmSync(folder, { recursive: true });
});

test('a file is the old one or the whole new one', async () => {
  const path = join(place(), 'deep', 'file.txt');
  await writeFileAtomic(path, 'old');
  await writeFileInParts(path, async (file) => {
    await file.write(Buffer.from('ne'));
    assert.is(text(path), 'old');
    await file.write(Buffer.from('w'));
    assert.is(file.size, 3);
  });
  assert.is(text(path), 'new');
  const failing = writeFileInParts(path, async (file) => {
    await file.write(Buffer.from('half'));
    throw new Error('no more');
  });
  assert.equal(await codeAndMessage(failing), ['none', 'no more']);
  assert.is(text(path), 'new');
  assert.equal(readdirSync(join(path, '..')), ['file.txt']);
});

test('two writers of a file do no harm', async () => {
  const path = join(place(), 'file.txt');
  const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(1000));
  await Promise.all(texts.map((content) => writeFileAtomic(path, content)));
  assert.ok(texts.includes(text(path)));
  assert.equal(readdirSync(join(path, '..')), ['file.txt']);
});

test('a link is replaced: what it points to stays as it is', async () => {
  const path = place();
  writeFileSync(join(path, 'blob'), 'shared');
  symlinkSync('blob', join(path, 'link'));
  await writeFileAtomic(join(path, 'link'), 'mine');
  assert.not(lstatSync(join(path, 'link')).isSymbolicLink());
  assert.is(text(join(path, 'blob')), 'shared');
});

test('a place that cannot be written is LMFLOW_OUTPUT_UNWRITABLE, and nothing stays', async () => {
  const path = place();
  mkdirSync(join(path, 'folder', 'inside'), { recursive: true });
  writeFileSync(join(path, 'file'), '');
  const refused = [
    () => writeFileAtomic(join(path, 'folder'), 'x'),
    () => writeFileAtomic(join(path, 'file', 'x'), 'x'),
    () => writeFolder(join(path, 'file'), async () => undefined),
    () => writeFolder(join(path, 'file', 'x'), async () => undefined),
    () => writeFilesInto(join(path, 'file'), async () => undefined),
  ];
  for (const write of refused) {
    const [code, message] = await codeAndMessage(write());
    assert.is(code, 'LMFLOW_OUTPUT_UNWRITABLE', message);
    assert.ok(message.startsWith(path), message);
  }
  assert.equal(readdirSync(path, { recursive: true }).sort(), ['file', 'folder', 'folder/inside']);
});

// A limit on the size of files is a disk that is full, without a disk.
if (process.platform !== 'win32') {
  test('a full disk says so in every way of writing, and gets its room back', () => {
    const path = place();
    const script = `
      import { writeFileAtomic, writeFileInParts, writeFolder, writeFilesInto, derivedFile } from '@lmflow/sdk/files';
      import { writeSafetensors } from '@lmflow/sdk/formats';
      import { writeFile } from 'node:fs/promises';
      const path = ${JSON.stringify(path)};
      const large = new Uint8Array(1 << 20);
      const weight = { kind: 'file', path: path + '/source', offset: 0, byteLength: 4, dtype: 'float32', shape: [1] };
      await writeFile(path + '/source', new Uint8Array(4));
      const ways = [
        () => writeFileAtomic(path + '/a', large),
        () => writeFileInParts(path + '/b', (file) => file.write(large)),
        () => writeFolder(path + '/c', (folder) => writeFile(folder + '/x', large)),
        () => writeFolder(path + '/d', (folder) => writeFileAtomic(folder + '/x', large)),
        () => writeFilesInto(path + '/e', (folder) => writeFile(folder + '/x', large)),
        () => writeSafetensors(path + '/f', [['x', { shape: [1 << 18], data: new Float32Array(1 << 18) }]]),
        () => derivedFile({ folder: path + '/g', setting: 'qlora.cacheDir', weight, key: {}, byteLength: 1 << 20, make: async () => [large] }),
      ];
      for (const way of ways) console.log(await way().then(() => 'written', ({ code, message, hint }) => [code, message, hint].join(' | ')));
    `;
    const output = execFileSync(
      'bash',
      [
        '-c',
        'ulimit -f 256; exec "$0" --conditions=lmflow-source --import tsx --input-type=module -e "$1"',
        process.execPath,
        script,
      ],
      {
        encoding: 'utf8',
        cwd: new URL('..', import.meta.url).pathname,
        env: { ...process.env, TSX_DISABLE_CACHE: '1' },
      },
    );
    const lines = output.trim().split('\n');
    const unwritten = (name: string): string =>
      `LMFLOW_OUTPUT_UNWRITABLE | ${path}/${name} cannot be written: EFBIG: file too large, write | Name a place that has room and that you may write to.`;
    assert.equal(lines.slice(0, 6), ['a', 'b', 'c', 'd', 'e', 'f'].map(unwritten));
    assert.is(
      lines[6],
      `LMFLOW_CACHE_UNWRITABLE | the cache ${path}/g cannot be written: EFBIG: file too large, write | Set qlora.cacheDir (or LMFLOW_CACHE) to a folder that has room and that you may write to.`,
    );
    const left = readdirSync(path, { recursive: true, withFileTypes: true });
    assert.equal(
      left
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .sort(),
      ['source', 'source.txt'],
    );
  });
}

test('a folder appears whole; one with something in it is refused before any work', async () => {
  const target = join(place(), 'out');
  const result = await writeFolder(target, async (directory) => {
    writeFileSync(join(directory, 'a'), '1');
    assert.not(existsSync(target));
    return 'done';
  });
  assert.is(result, 'done');
  const [code] = await codeAndMessage(
    writeFolder(target, async () => {
      assert.unreachable();
    }),
  );
  assert.is(code, 'LMFLOW_OUTPUT_NOT_EMPTY');
  const failing = writeFolder(
    target,
    async (directory) => {
      writeFileSync(join(directory, 'a'), '2');
      throw new Error('no more');
    },
    { replace: true },
  );
  assert.equal(await codeAndMessage(failing), ['none', 'no more']);
  assert.is(text(join(target, 'a')), '1');
  await writeFolder(
    target,
    async (directory) => {
      writeFileSync(join(directory, 'b'), '3');
    },
    { replace: true },
  );
  assert.equal(readdirSync(target), ['b']);
  assert.equal(readdirSync(join(target, '..')), ['out']);
});

test('an empty folder is taken; several writers that replace, or do not, do no harm', async () => {
  const target = place();
  const write =
    (name: string) =>
    async (directory: string): Promise<void> => {
      writeFileSync(join(directory, name), name);
    };
  await writeFolder(target, write('first'));
  assert.equal(readdirSync(target), ['first']);
  await Promise.all(
    ['a', 'b', 'c'].map((name) => writeFolder(target, write(name), { replace: true })),
  );
  assert.is(readdirSync(target).length, 1);
  const first = readdirSync(target);
  const keep = async (): Promise<boolean> => false;
  await Promise.all(['d', 'e'].map((name) => writeFolder(target, write(name), { replace: keep })));
  assert.equal(readdirSync(target), first);
  assert.equal(
    readdirSync(join(target, '..')).filter((name) => name.startsWith('.')),
    [],
  );
});

test('files move into a folder beside those that are there', async () => {
  const target = place();
  writeFileSync(join(target, 'kept'), '');
  writeFileSync(join(target, 'a'), 'old');
  await writeFilesInto(target, async (directory) => {
    writeFileSync(join(directory, 'a'), 'new');
    mkdirSync(join(directory, 'deep'));
    writeFileSync(join(directory, 'deep', 'b'), '');
    assert.is(text(join(target, 'a')), 'old');
  });
  assert.equal(readdirSync(target, { recursive: true }).sort(), ['a', 'deep', 'deep/b', 'kept']);
  assert.is(text(join(target, 'a')), 'new');
});

test('the disk is the reason also inside the error of a hook; a file read elsewhere is not', async () => {
  const target = join(place(), 'out');
  const [code, message] = await codeAndMessage(
    writeFolder(target, () => Promise.reject(noSpace())),
  );
  assert.is(code, 'LMFLOW_OUTPUT_UNWRITABLE');
  assert.is(message, `${target} cannot be written: ENOSPC: no space left on device, write`);
  const unreadable = Object.assign(new Error('EACCES: permission denied, open'), {
    code: 'EACCES',
    path: '/elsewhere/model.safetensors',
  });
  assert.is(
    (await codeAndMessage(writeFolder(target, () => Promise.reject(unreadable))))[0],
    'none',
  );
});

test('what killed processes left is removed, once it is old enough', async () => {
  const path = place();
  for (const name of ['.writing-old', '.writing-new', 'other']) mkdirSync(join(path, name));
  utimesSync(join(path, '.writing-old'), 1, 1);
  await removeAsides(path, 60_000);
  assert.equal(readdirSync(path).sort(), ['.writing-new', 'other']);
  await removeAsides(path);
  assert.equal(readdirSync(path), ['other']);
});

test('the cache: LMFLOW_CACHE, then XDG_CACHE_HOME, then the home folder', () => {
  const kept = { ...process.env };
  try {
    Object.assign(process.env, { LMFLOW_CACHE: '/a', XDG_CACHE_HOME: '/b' });
    assert.is(cacheFolder('qlora'), '/a/qlora');
    process.env['LMFLOW_CACHE'] = '';
    assert.is(cacheFolder('qlora'), '/b/lmflow/qlora');
    delete process.env['XDG_CACHE_HOME'];
    assert.is(cacheFolder('qlora'), join(homedir(), '.cache', 'lmflow', 'qlora'));
  } finally {
    process.env = kept;
  }
});

const weightIn = (name: string): FileWeight => {
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(8));
  return { kind: 'file', path, offset: 0, byteLength: 8, dtype: 'float32', shape: [2] };
};
const [weight, other] = [weightIn('one'), weightIn('two')];
const cache = join(folder, 'cache');
const derived = (key: string, others: readonly FileWeight[] = []): ReturnType<typeof derivedFile> =>
  derivedFile({
    folder: cache,
    setting: 'qlora.cacheDir',
    weight,
    others,
    key: { key },
    byteLength: 1,
    make: async () => [Uint8Array.of(7)],
  });

test('a derived file is made once a key, and again where another of its weights is, or is changed', async () => {
  const first = await derived('a', [other]);
  assert.equal([first.made, [...readFileSync(first.path)]], [true, [7]]);
  assert.equal(await derived('a', [other]), { path: first.path, made: false });
  const distinct = [
    await derived('b', [other]),
    await derived('a'),
    await derived('a', [{ ...other, offset: 4, byteLength: 4, shape: [1] }]),
  ];
  assert.ok(distinct.every(({ made }) => made));
  utimesSync(other.path, 1, 1);
  const again = await derived('a', [other]);
  assert.ok(again.made && again.path !== first.path);
});

test('a derived file notes when it was used, and what it was made from', async () => {
  const { path } = await derived('used');
  const made = new Date(1e12);
  utimesSync(path, made, made);
  await derived('used');
  assert.is(statSync(path).mtimeMs, 1e12);
  assert.ok(Date.now() - statSync(path).atimeMs < 60_000);
  assert.is(text(join(path, '..', 'source.txt')), `${weight.path}\n`);
});

test('nothing is left of a derived file that could not be made', async () => {
  const before = readdirSync(cache, { recursive: true }).length;
  const failing = derivedFile({
    folder: cache,
    setting: 'qlora.cacheDir',
    weight,
    key: { key: 'c' },
    byteLength: 1,
    make: () => Promise.reject(new Error('no')),
  });
  assert.is(
    await failing.then(
      () => 'made',
      (error: Error) => error.message,
    ),
    'no',
  );
  assert.is(readdirSync(cache, { recursive: true }).length, before);
});

if (process.platform === 'linux') {
  test('a folder where the system refuses folders is an error, at once', async () => {
    for (const folder of ['/proc/lmflow/out', '/proc/self/lmflow']) {
      for (const write of [
        () => writeFolder(folder, () => Promise.resolve()),
        () => writeFileAtomic(`${folder}/file`, 'text'),
      ]) {
        const error: unknown = await write().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        assert.ok(isLMFlowError(error));
        assert.is(error.code, 'LMFLOW_OUTPUT_UNWRITABLE');
      }
    }
  });
}

test('a pipe that a shell gives, <(cmd), is read up to the limit', async () => {
  if (process.platform === 'win32') return;
  const pipe = join(place(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  async function given<T>(content: string, read: (path: string) => T): Promise<Awaited<T>> {
    const fd = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(pipe, 'w');
    writeSync(writer, content);
    closeSync(writer);
    try {
      return await read(`/dev/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  }
  assert.is(await given('once\nupon ✓', (path) => readWhole(path)), 'once\nupon ✓');
  assert.is(await given('at once', (path) => readWholeSync(path, 7)), 'at once');
  const long = await given('at once!', (path) => readWhole(path, 7)).catch(String);
  assert.match(long, 'it goes on; it may have');
  const named = await readWhole(pipe).catch(String);
  assert.match(named, 'it is a named pipe, not a regular file');
});

test.run();
