#!/usr/bin/env node
// The lmflow command. A committed file, because npm links no bin whose file is absent at install;
// the work is in dist/cli.js.
import { existsSync } from 'node:fs';

const cli = new URL('../dist/cli.js', import.meta.url);
if (existsSync(cli)) {
  await import(cli.href);
} else {
  process.stderr.write(
    'lmflow: dist/cli.js is missing: this checkout is not built. Run `npm run build` in its root.\n',
  );
  process.exitCode = 1;
}
