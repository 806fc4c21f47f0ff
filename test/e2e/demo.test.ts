// `npm run demo` in short: a few steps and questions, in a copy of the playground.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const root = resolve(import.meta.dirname, '../..');
const node = [
  '--conditions=lmflow-source',
  '--import',
  join(root, 'node_modules/tsx/dist/esm/index.mjs'),
];

test('the demo asks, adapts, evaluates before and after, and asks again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-demo-'));
  cpSync(join(root, 'playground/domain-adaptation'), folder, {
    recursive: true,
    filter: (path) => !/[/\\](work|node_modules)$/.test(path),
  });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const output = execFileSync(
    process.execPath,
    [...node, 'src/demo.ts', '--steps', '3', '--limit', '12'],
    { cwd: folder, encoding: 'utf8' },
  );
  assert.match(output, /What is the capital of France\?\n {4}The capital of France is Paris\./);
  assert.match(output, /step 3\/3/);
  assert.match(output, /m1_reading +12 +33\.3/);
  assert.match(output, /m2_recall +12 +25\.0/);
  assert.match(output, /npx lmflow chat .*--lora-adapter work\/adapter/);
  for (const file of ['adapter_model.safetensors', 'README.md', 'training_loss.svg']) {
    assert.ok(existsSync(join(folder, 'work/adapter', file)), file);
  }
});

test.run();
