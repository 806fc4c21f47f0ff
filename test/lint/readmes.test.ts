// The documents: tables of options in the READMEs are those of the sources, every key and other
// spelling that a plugin takes stands there, a README is a screen long, and links and paths lead
// somewhere.
import { readdirSync, readFileSync } from 'node:fs';
import type { Plugin } from '@lmflow/sdk';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { brokenLinks, markdownFiles, missingPaths, proseOf, textOf } from '../docs/markdown.ts';
import { withOptions, withoutOptions } from '../docs/options-table.ts';
import { documentedPackages, readmeOf } from '../docs/packages.ts';

const plugins = new URL('../../plugins/', import.meta.url);

for (const entry of await documentedPackages()) {
  test(`${entry.folder}: the README's options are those of the sources`, () => {
    const readme = readmeOf(entry);
    const written = withOptions(readme, entry.tables);
    assert.ok(
      written !== undefined || entry.tables === '',
      'README.md lacks the markers for its options: see test/docs/options-table.ts',
    );
    assert.ok(
      written === undefined || written === readme,
      'README.md has other options than the sources: run npm run docs',
    );
  });
}

// "Rank of the update matrices.", or what a value means: "true: ...".
const sentence = /^(\p{Lu}|[\w"]+:)[^]*\.$/u;

test('descriptions of options and flags are sentences', async () => {
  const rows = (await documentedPackages()).flatMap(({ tables }) =>
    [...tables.matchAll(/^\| (`[^`]*`) \|.*\| (.*) \|$/gm)].map(([, name, text]) => ({
      name,
      text,
    })),
  );
  assert.ok(rows.length > 100);
  assert.equal(
    rows.filter(({ text }) => !sentence.test(text!)),
    [],
  );
});

for (const name of readdirSync(plugins)) {
  test(`${name}: keys and aliases stand in its README`, async () => {
    const { default: factory } = (await import(new URL(`${name}/src/index.ts`, plugins).href)) as {
      default: () => Plugin;
    };
    const { options } = factory();
    const readme = readFileSync(new URL(`${name}/README.md`, plugins), 'utf8');
    const names = [
      ...Object.keys(options?.schema.shape ?? {}),
      ...Object.keys(options?.aliases ?? {}),
    ];
    const code = [...readme.matchAll(/`[^`\n]+`/g)].join('\n');
    assert.equal(
      names.filter((key) => !new RegExp(`\\b${key}\\b`).test(code)),
      [],
    );
  });
}

for (const file of markdownFiles()) {
  test(`${file}: its links and paths lead somewhere`, () => {
    assert.equal([...brokenLinks(file), ...missingPaths(file)], []);
  });
}

const mostWords = 500;
const ofPackages = /^(kernel|sdk|plugins\/[^/]+|presets\/[^/]+)\/README\.md$/;
const ofTheHouse = /^(README|CONTRIBUTING|SECURITY)\.md$|^docs\/notes\//;

for (const file of markdownFiles().filter((path) => ofPackages.test(path))) {
  test(`${file}: a screen of prose`, () => {
    const words = proseOf(withoutOptions(textOf(file)))
      .split(/\s+/)
      .filter((word) => word !== '');
    assert.ok(words.length <= mostWords, `${words.length} words: move some to docs/notes/`);
  });
}

for (const file of markdownFiles().filter((path) =>
  [ofPackages, ofTheHouse].some((those) => those.test(path)),
)) {
  test(`${file}: prose in lines of at most 100 characters`, () => {
    assert.equal(
      proseOf(withoutOptions(textOf(file)))
        .split('\n')
        .filter((line) => line.length > 100),
      [],
    );
  });
}

test.run();
