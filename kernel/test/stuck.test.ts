// A promise of a plugin that never settles ends the command with the plugin's name, and is no silent
// end of the process (Node's exit code 13).
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { project } from './samples.ts';

const here = import.meta.dirname;
const cli = resolve(here, '../src/cli.ts');
const tsx = resolve(here, '../../node_modules/tsx/dist/esm/index.mjs');

function run(apply: string): { readonly status: number | null; readonly stderr: string } {
  const { folder, remove } = project({
    'stuck.mjs': `export default {
      name: 'lmflow-plugin-stuck', version: '1.0.0', sdk: '^1.0.0',
      apply(context) { ${apply} },
    };`,
    'lmflow.config.json': JSON.stringify({ plugins: ['./stuck.mjs'] }),
  });
  try {
    return spawnSync(process.execPath, ['--conditions=lmflow-source', '--import', tsx, cli, 'go'], {
      cwd: join(folder),
      encoding: 'utf8',
      timeout: 60_000,
    });
  } finally {
    remove();
  }
}

const go = (body: string): string =>
  `context.command({ name: 'go', summary: 'goes', run: async () => { ${body} } });`;
const never = 'await new Promise(() => undefined);';

test('in a hook', () => {
  const { status, stderr } = run(
    `context.hooks.onDoctor.tap(async () => { ${never} });
     ${go('await context.hooks.onDoctor.promise([]);')}`,
  );
  assert.match(stderr, /LMFLOW_HOOK_STUCK[^]*lmflow-plugin-stuck in onDoctor/);
  assert.is(status, 1);
});

test('in a command', () => {
  const { status, stderr } = run(go(never));
  assert.match(stderr, /LMFLOW_HOOK_STUCK[^]*go waits for a promise that never settles/);
  assert.is(status, 1);
});

test('in onClose', () => {
  const { status, stderr } = run(
    `context.hooks.onClose.tap(async () => { ${never} });
     ${go('')}`,
  );
  assert.match(stderr, /LMFLOW_HOOK_STUCK[^]*lmflow-plugin-stuck in onClose/);
  assert.is(status, 1);
});

test.run();
