// Whether plugins see the same @lmflow/sdk as lmflow: with a copy of their own, types differ and
// what compares classes fails.
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { DoctorCheck } from '@lmflow/sdk';
import { packageFolder } from '../modules.ts';
import { ownDirectory } from '../plugins/packages.ts';

const SDK = '@lmflow/sdk';

/** A warning for each plugin, installed for `cwd`, that has another copy of the sdk. */
export function sdkCopies(plugins: readonly string[], cwd: string): DoctorCheck[] {
  const own = copyFor(ownDirectory);
  return plugins.flatMap((plugin) => {
    const folder = packageFolder(plugin, cwd);
    const other = folder === undefined ? undefined : copyFor(realpathSync(folder));
    if (own === undefined || other === undefined || other === own) return [];
    return [
      {
        subject: plugin,
        status: 'warning',
        detail: `it uses another copy of ${SDK} (${versionOf(other)} in ${other}) than lmflow`,
        remedy: `Run npm dedupe; its package lists ${SDK} in peerDependencies, not in dependencies.`,
      } as const,
    ];
  });
}

function copyFor(directory: string): string | undefined {
  const folder = packageFolder(SDK, directory);
  return folder === undefined ? undefined : realpathSync(folder);
}

function versionOf(folder: string): string {
  const text = readFileSync(join(folder, 'package.json'), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
