// Entry of the `lmflow` command (bin/lmflow.mjs imports its build).
import { main } from './cli/main.ts';

// `lmflow --help | head`: a reader that has left is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

process.exitCode = await main(process.argv.slice(2));
// A plugin may leave something open (a thread pool, a socket); what is done is done. This timer alone keeps nothing alive.
setTimeout(() => process.exit(), 1000).unref();
