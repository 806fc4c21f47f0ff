// `npm run demo` in short: the playground's own commands with a few steps each, in a copy of the
// playground.
import { cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lmflow } from './project.ts';

const root = resolve(import.meta.dirname, '../..');
const node = [
  '--conditions=lmflow-source',
  '--import',
  join(root, 'node_modules/tsx/dist/esm/index.mjs'),
];

test('the demo prepares its data, pretrains, tunes and answers', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-demo-'));
  cpSync(join(root, 'playground/demo'), folder, {
    recursive: true,
    filter: (path) => !/[/\\](work|node_modules)$/.test(path),
  });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const run = (script: string): string =>
    execFileSync(process.execPath, [...node, script], { cwd: folder, encoding: 'utf8' });
  assert.match(run('src/prepare.ts'), /sentences, .* questions/);
  await lmflow(folder, [
    'finetune',
    '--config',
    'pretrain.config.ts',
    '--max-steps',
    '3',
    '--max-train-samples',
    '2000',
  ]);
  await lmflow(folder, ['finetune', '--max-steps', '3', '--max-eval-samples', '10']);
  assert.ok(existsSync(join(folder, 'work/adapter/adapter_model.safetensors')));
  const { log_history: log } = JSON.parse(
    readFileSync(join(folder, 'work/adapter/trainer_state.json'), 'utf8'),
  ) as { log_history: { eval_loss?: number }[] };
  assert.ok(
    log.filter(({ eval_loss: loss }) => loss !== undefined).length >= 2,
    'the loss before and after is missing',
  );
  assert.match(run('src/answer.ts'), /After tuning/);
});

test.run();
