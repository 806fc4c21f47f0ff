// The versions of lmflow and of the contract, read from their package.json. This file stays
// directly in src: its relative path holds in dist too.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

interface Manifest {
  readonly version: string;
}

const own = require('../package.json') as Manifest;

/** Version of the package `lmflow`. */
export const kernelVersion = own.version;
/** Version of @lmflow/sdk that plugins are checked against. */
export const sdkVersion = (require('@lmflow/sdk/package.json') as Manifest).version;
