// What package-lock.json must not have, so that `npm ci` works where NuGet cannot be reached.
// onnxruntime-node's post-install downloads CUDA libraries from there; npm runs a script only where
// the lock file marks the package as having one, and keeps a lock file without the mark.
// "allowScripts" in package.json says the same to newer npm alone. A key in .npmrc would do it too,
// but npm from 11 on warns of it at every npx.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('onnxruntime-node is installed without its script: where npm has put the line "hasInstallScript" back, delete it', () => {
  const { packages } = JSON.parse(
    readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'),
  ) as { packages: Record<string, { hasInstallScript?: boolean }> };
  const copies = Object.entries(packages).filter(([path]) =>
    path.endsWith('node_modules/onnxruntime-node'),
  );
  assert.ok(copies.length > 0);
  assert.equal(
    copies.filter(([, { hasInstallScript }]) => hasInstallScript),
    [],
  );
});

test.run();
