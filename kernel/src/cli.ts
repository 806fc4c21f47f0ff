// Entry of the `lmflow` command (bin/lmflow.mjs imports its build).
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { main } from './cli/main.ts';

for (const stream of [process.stdout, process.stderr]) stream.on('error', readerIsGone);

/**
 * `lmflow --help | head`: a reader that has left is no error. A command that works saves and ends, as
 * with SIGHUP. A run in a session of its own (setsid) outlives its terminal.
 */
function readerIsGone(error: NodeJS.ErrnoException): void {
  if (error.code === 'EIO') return;
  if (error.code !== 'EPIPE') throw error;
  if (process.listenerCount('SIGHUP') > 0) process.emit('SIGHUP', 'SIGHUP');
  else process.exit();
}

const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
process.once('exit', () => {
  // Node 20 aborts where it cannot set a terminal back as it was; closed descriptors it leaves alone
  for (const descriptor of terminals) if (!isatty(descriptor)) closeSync(descriptor);
});

process.exitCode = await main(process.argv.slice(2));
// A plugin's runtime may keep something open (a thread pool, a socket). The command is done and
// closed, so the process ends once everything is written.
await Promise.all(
  [process.stdout, process.stderr].map(
    (stream) => new Promise((resolve) => stream.write('', resolve)),
  ),
);
process.exit();
