// What npm would publish: packs every public package and checks what is in each tarball, and in its
// package.json.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** [{ folder, manifest }] of every package that is published. */
export function publicPackages(root) {
  const inside = (folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
  return ['sdk', 'kernel', ...inside('plugins'), ...inside('presets')]
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => ({
      folder,
      manifest: JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')),
    }))
    .filter(({ manifest }) => !manifest.private);
}

/** The import specifiers a package offers, such as '@lmflow/sdk' and '@lmflow/sdk/graph'. */
export function specifiers({ name, exports }) {
  return Object.entries(exports)
    .filter(([, target]) => typeof target === 'object')
    .map(([path]) => name + path.slice(1));
}

/**
 * What is wrong with a package: lines of text, none when all is well. `files` are the paths in its
 * tarball.
 */
export function faults({ folder, manifest }, files) {
  const listed = new Set(files);
  const wanted = ['package.json', 'README.md', 'LICENSE', ...targets(manifest)];
  const missing = wanted
    .filter((path) => !listed.has(path))
    .map((path) => `${path} is not in the tarball`);
  // `page` is what a package shows in a browser, as it is; `model` is a model that it brings.
  const extra = files
    .filter(
      (path) =>
        !/^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$|^(dist|bin|page|tasks|model)\//.test(
          path,
        ) || /\.test\.|\.map$/.test(path),
    )
    .map((path) => `${path} should not be in the tarball`);
  return [...missing, ...extra, ...metadata(folder, manifest)].map(
    (fault) => `${manifest.name}: ${fault}`,
  );
}

function targets({ exports, bin }) {
  const exported = Object.values(exports).flatMap((target) =>
    typeof target === 'object' ? [target.types, target.default] : [],
  );
  return [...exported, ...Object.values(bin ?? {})].map((path) => path.replace(/^\.\//, ''));
}

function* metadata(folder, manifest) {
  const [kind, name] = folder.split('/');
  const expect = {
    plugins: { name: `@lmflow/plugin-${name}`, keyword: 'lmflow-plugin' },
    presets: { name: `@lmflow/preset-${name}`, keyword: 'lmflow-preset' },
  }[kind];
  if (expect && manifest.name !== expect.name)
    yield `the name in ${folder} should be ${expect.name}`;
  for (const keyword of ['lmflow', ...(expect ? [expect.keyword] : [])]) {
    if (!manifest.keywords?.includes(keyword)) yield `keyword ${keyword} is missing`;
  }
  if (expect && manifest.peerDependencies?.['@lmflow/sdk'] !== '^1.0.0')
    yield 'the peer range of @lmflow/sdk should be ^1.0.0';
  if (expect && manifest.dependencies?.['@lmflow/sdk'])
    yield '@lmflow/sdk is a peer, not a dependency: there must be one only';
  if (manifest.license !== 'Apache-2.0') yield 'license should be Apache-2.0';
  if (manifest.type !== 'module') yield 'type should be module';
  if (!manifest.engines?.node) yield 'engines.node is missing';
  if (!manifest.description) yield 'description is missing';
}
