// Every package says what changed: in its CHANGELOG up to its version, or in a changeset that is
// still to become one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { publicPackages } from '../packaging/tarballs.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const packages = publicPackages(root).map(({ folder, manifest }) => ({
  folder,
  ...(manifest as { name: string; version: string }),
}));
const changesets = readdirSync(`${root}.changeset`)
  .filter((file) => file.endsWith('.md') && file !== 'README.md')
  .map((file) => {
    const [, head = '', text = ''] =
      /^---\n([^]*?)\n---\n([^]*)$/.exec(readFileSync(`${root}.changeset/${file}`, 'utf8')) ?? [];
    const named = [...head.matchAll(/^["'](.+)["']: (?:patch|minor|major)$/gm)].map(
      ([, name]) => name!,
    );
    return { file, named, lines: head.split('\n').length, text: text.trim() };
  });

for (const { folder, name, version } of packages) {
  test(`${name} has a CHANGELOG or a changeset`, () => {
    const file = `${root}${folder}/CHANGELOG.md`;
    if (!existsSync(file)) {
      assert.ok(
        changesets.some(({ named }) => named.includes(name)),
        'run npx changeset and say what the package does',
      );
      return;
    }
    const [, newest] = /^## (\S+)$/m.exec(readFileSync(file, 'utf8')) ?? [];
    assert.is(newest, version);
  });
}

test('changesets name packages of this repository and say what changes', () => {
  const known = new Set(packages.map(({ name }) => name));
  for (const { file, named, lines, text } of changesets) {
    assert.is(named.length, lines, `${file}: its head is a list of "package": kind`);
    assert.equal(
      named.filter((name) => !known.has(name)),
      [],
      file,
    );
    assert.ok(text.length > 20 && /[.!]$/.test(text), `${file}: write a sentence`);
  }
});

test.run();
