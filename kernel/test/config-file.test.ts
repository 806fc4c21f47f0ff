// Finding lmflow.config.*: names, folders, what files may export, TypeScript with relative imports.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKernel } from '../src/index.ts';
import { compileAndImport } from '../src/modules.ts';
import { captureLog } from '../src/testing/index.ts';
import { project } from './samples.ts';

async function load(
  files: Readonly<Record<string, string>>,
  cwd = '.',
  configFile?: string,
): Promise<{ seed: unknown; origin: unknown }> {
  const { folder, remove } = project(files);
  try {
    const kernel = await createKernel(undefined, {
      cwd: join(folder, cwd),
      log: captureLog(),
      ...(configFile === undefined ? {} : { configFile }),
    });
    const setting = kernel.inspect().settings.find(({ key }) => key === 'seed');
    await kernel.close();
    return { seed: setting?.value, origin: setting?.origin };
  } finally {
    remove();
  }
}

const typescript = {
  'lmflow.config.ts':
    'import { defineConfig } from "lmflow";\nimport { seed } from "./settings/seed.ts";\nimport { one } from "./settings/one";\nexport default defineConfig({ seed: (seed as number) + one });\n',
  'settings/seed.ts': 'export const seed: number = 6;\n',
  'settings/one.ts': 'export const one = 1 satisfies number;\n',
};

const files: Readonly<Record<string, readonly [Readonly<Record<string, string>>, string]>> = {
  'lmflow.config.ts with imports of other .ts files': [typescript, 'lmflow.config.ts'],
  'lmflow.config.mts': [
    { 'lmflow.config.mts': 'const seed: number = 7; export default { seed };' },
    'lmflow.config.mts',
  ],
  'lmflow.config.js': [{ 'lmflow.config.js': 'export default { seed: 7 };' }, 'lmflow.config.js'],
  'lmflow.config.mjs with a promise': [
    { 'lmflow.config.mjs': 'export default Promise.resolve({ seed: 7 });' },
    'lmflow.config.mjs',
  ],
  'lmflow.config.mjs with a function': [
    { 'lmflow.config.mjs': 'export default () => ({ seed: 7 });' },
    'lmflow.config.mjs',
  ],
  'lmflow.config.mjs with an async function': [
    { 'lmflow.config.mjs': 'export default async () => ({ seed: 7 });' },
    'lmflow.config.mjs',
  ],
  'lmflow.config.json': [{ 'lmflow.config.json': '{ "seed": 7 }' }, 'lmflow.config.json'],
  'lmflow.config.json with a pointer to a schema': [
    { 'lmflow.config.json': '{ "$schema": "./x.json", "seed": 7 }' },
    'lmflow.config.json',
  ],
  'lmflow.config.cts': [
    { 'lmflow.config.cts': 'const seed: number = 7; export default { seed };' },
    'lmflow.config.cts',
  ],
  'lmflow.config.cjs': [
    { 'lmflow.config.cjs': 'module.exports = { seed: 7 };' },
    'lmflow.config.cjs',
  ],
  'lmflow.config.yaml': [{ 'lmflow.config.yaml': 'seed: 7\n' }, 'lmflow.config.yaml'],
  'lmflow.config.yml': [
    { 'lmflow.config.yml': '$schema: ./x.json\nseed: 7\n' },
    'lmflow.config.yml',
  ],
  '.lmflowrc.json': [{ '.lmflowrc.json': '{ "seed": 7 }' }, '.lmflowrc.json'],
  '.lmflowrc.yaml': [{ '.lmflowrc.yaml': 'seed: 7\n' }, '.lmflowrc.yaml'],
  'the key lmflow of package.json': [
    { 'package.json': '{ "name": "project", "lmflow": { "seed": 7 } }' },
    'package.json',
  ],
  '.lmflowrc as JSON': [{ '.lmflowrc': '{ "seed": 7 }' }, '.lmflowrc'],
  '.lmflowrc as YAML': [{ '.lmflowrc': 'seed: 7\n' }, '.lmflowrc'],
};

for (const [name, [content, origin]] of Object.entries(files)) {
  test(name, async () => {
    assert.equal(await load(content), { seed: 7, origin });
  });
}

test('the first of several names wins', async () => {
  assert.equal(await load({ ...typescript, '.lmflowrc': 'seed: 1' }), {
    seed: 7,
    origin: 'lmflow.config.ts',
  });
});

test('of all names, in the documented order', async () => {
  const data = Object.fromEntries(
    ['lmflow.config.json', 'lmflow.config.yaml', '.lmflowrc', '.lmflowrc.json'].map(
      (name, index) => [name, `{ "seed": ${index} }`],
    ),
  );
  const all: Record<string, string> = { 'package.json': '{ "lmflow": { "seed": 4 } }', ...data };
  for (const expected of [...Object.keys(data), 'package.json']) {
    assert.is((await load(all)).origin, expected);
    delete all[expected];
  }
});

test("found above, up to the project's root and no further", async () => {
  assert.equal(
    await load({ 'lmflow.config.mjs': 'export default { seed: 7 };', 'a/b/x.txt': '' }, 'a/b'),
    { seed: 7, origin: join('..', '..', 'lmflow.config.mjs') },
  );
  assert.equal(
    await load({ 'lmflow.config.mjs': 'export default { seed: 7 };', 'a/package.json': '{}' }, 'a'),
    { seed: 42, origin: 'default' },
  );
});

test('a named file, relative to cwd', async () => {
  assert.equal(
    await load({ 'other/mine.ts': 'export default { seed: 7 as number };' }, '.', 'other/mine.ts'),
    { seed: 7, origin: join('other', 'mine.ts') },
  );
});

test('jiti, which plain node uses: relative imports, and the same lmflow as everybody', async () => {
  const { folder, remove } = project({
    'a.ts':
      'import { b } from "./b.ts";\nimport { c } from "./c";\nexport default { sum: b + c } as object;\n',
    'b.ts': 'export const b: number = 1;',
    'c.ts': 'export const c = 2 as number;',
    'named.ts': 'export const only = 1;',
    'packages.ts':
      'import cjs from "cjs"; import { named } from "cjs"; import esm, { other } from "esm"; export default [cjs.named, named, esm, other] as number[];',
    'node_modules/cjs/package.json': '{ "name": "cjs" }',
    'node_modules/cjs/index.js': 'exports.named = 1;',
    'node_modules/esm/package.json':
      '{ "name": "esm", "type": "module", "exports": { "import": "./index.js" } }',
    'node_modules/esm/index.js': 'export default 2; export const other = 3;',
  });
  try {
    assert.equal((await compileAndImport(join(folder, 'a.ts')))['default'], { sum: 3 });
    assert.equal((await compileAndImport(join(folder, 'packages.ts')))['default'], [1, 1, 2, 3]);
    assert.is((await compileAndImport(join(folder, 'named.ts')))['default'], undefined);
  } finally {
    remove();
  }
});

test('a named pipe as config file or plugin is an error at once', async () => {
  if (process.platform === 'win32') return;
  const { folder, remove } = project({ 'a.txt': '' });
  try {
    const pipe = join(folder, 'pipe.mjs');
    execFileSync('mkfifo', [pipe]);
    const options = { cwd: folder, log: captureLog() };
    for (const making of [
      () => createKernel(undefined, { ...options, configFile: pipe }),
      () => createKernel({ plugins: [pipe] }, options),
    ]) {
      const error: unknown = await making().catch((reason: unknown) => reason);
      assert.match(String(error), 'is a named pipe, not a regular file');
    }
    // found by itself, in the folder and above it
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    for (const name of ['lmflow.config.ts', 'lmflow.config.json', '.lmflowrc', 'package.json']) {
      const found = join(folder, 'a', name);
      execFileSync('mkfifo', [found]);
      for (const cwd of [join(folder, 'a'), join(folder, 'a', 'b')]) {
        const error: unknown = await createKernel(undefined, { cwd, log: captureLog() }).catch(
          (reason: unknown) => reason,
        );
        assert.match(String(error), /is a named pipe, not a regular file/);
        assert.match(String(error), name);
      }
      rmSync(found);
    }
  } finally {
    remove();
  }
});

test.run();
