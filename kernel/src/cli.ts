// Entry of the `lmflow` command (bin/lmflow.mjs imports its build).
import { main } from './cli/main.ts';

// `lmflow --help | head`: a reader that has left is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
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
