// The versions of lmflow, put in by the build, and of the contract as it is installed.
import { createRequire } from 'node:module';
import manifest from '../package.json' with { type: 'json' };

interface Manifest {
  readonly version: string;
}

/** Version of the package `lmflow`. */
export const kernelVersion = manifest.version;
/** Version of @lmflow/sdk that plugins are checked against. */
export const sdkVersion = (createRequire(import.meta.url)('@lmflow/sdk/package.json') as Manifest)
  .version;
