// The terminal of a run is gone: the run goes on, and saves at SIGHUP, whose exit code it has. Signals of a
// terminal that stays are tested in cli.test.ts. Needs the command `script`, which lends a terminal.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pluginModule, project } from './samples.ts';

const waits = pluginModule(
  'waits',
  `context.command({ name: 'wait', summary: 'waits for a signal', async run({ signal }) {
    const { writeFileSync } = await import('node:fs');
    writeFileSync('started', String(process.pid));
    await new Promise((resolve) => {
      const timer = setInterval(() => process.stdout.write('.'), 20);
      signal.addEventListener('abort', () => { clearInterval(timer); resolve(); });
    });
    writeFileSync('saved', '');
  } });`,
);
const { folder, remove } = project({
  'lmflow.config.mjs': 'export default { plugins: ["./waits.mjs"] };',
  'waits.mjs': waits,
});
test.after(remove);

async function read(name: string): Promise<string> {
  const file = join(folder, name);
  for (let tries = 0; tries < 600; tries++) {
    if (existsSync(file) && readFileSync(file, 'utf8') !== '') return readFileSync(file, 'utf8');
    await setTimeout(50);
  }
  throw new Error(`${name} was not written in 30 s`);
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

test('a run whose terminal is gone goes on, saves at SIGHUP and ends with 129', async () => {
  const node = [process.execPath, '--conditions=lmflow-source', '--import', 'tsx', cli];
  const run = [...node, '--cwd', folder, 'wait'].map((word) => `'${word}'`).join(' ');
  // the shell outlives its terminal
  const shell = `trap : HUP; ${run} & wait $!; echo $? > '${folder}/code'`;
  const terminal = spawn('script', ['-qec', shell, '/dev/null'], { cwd: root, stdio: 'ignore' });
  const id = Number(await read('started'));
  terminal.kill('SIGKILL');
  await setTimeout(200);
  process.kill(id, 'SIGHUP');
  assert.is(await read('code'), '129\n');
  assert.ok(existsSync(join(folder, 'saved')));
});

test('a reader that has left ends a run that writes, after it has saved', async () => {
  for (const name of ['started', 'saved']) rmSync(join(folder, name), { force: true });
  const words = ['--conditions=lmflow-source', '--import', 'tsx', cli, '--cwd', folder, 'wait'];
  const child = spawn(process.execPath, words, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  await read('started');
  child.stdout.destroy();
  assert.is(await ended, 129);
  assert.ok(existsSync(join(folder, 'saved')));
});

const lent = spawnSync('script', ['-qec', 'true', '/dev/null'], { stdio: 'ignore' });
if (lent.status === 0) test.run();
else process.stdout.write('skipped: no script that lends a terminal\n');
