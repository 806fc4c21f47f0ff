// docs/errors.md lists every error code of the repository, with its exit code.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codesOf, errorsDocument, errorsFile, packages } from './errors-doc.ts';

const command = 'npm run docs';

test('docs/errors.md has the codes and exit codes of the sources', () => {
  const documented = readFileSync(errorsFile, 'utf8');
  const current = errorsDocument();
  const codes = (text: string): string[] =>
    [...text.matchAll(/^\| `(LMFLOW_\w+)` \| (\d[\d, ]*) \|/gm)].map(
      ([, code, exit]) => `${code} ${exit}`,
    );
  const [old, now] = [new Set(codes(documented)), new Set(codes(current))];
  assert.equal(
    [...now].filter((code) => !old.has(code)),
    [],
    `docs/errors.md lacks codes; run: ${command}`,
  );
  assert.equal(
    [...old].filter((code) => !now.has(code)),
    [],
    `docs/errors.md has codes that are gone; run: ${command}`,
  );
});

test('every function that makes an error says when it happens', () => {
  const silent = packages().flatMap((folder) =>
    codesOf(folder)
      .filter(({ sentences }) => sentences.some((sentence) => !/^\S.{10,}\.$/.test(sentence)))
      .map(({ code, sentences }) => `${folder}: ${code}: ${sentences.join(' / ')}`),
  );
  assert.equal(silent, []);
});

test('an error code is of one kind, wherever it is made', () => {
  const kinds = new Map<string, Set<string>>();
  for (const { code, kinds: found } of packages().flatMap(codesOf)) {
    kinds.set(code, new Set([...(kinds.get(code) ?? []), ...found]));
  }
  for (const [code, found] of kinds) {
    assert.is(found.size, 1, `${code} is made as ${[...found].join(' and ') || 'no kind'}`);
  }
});

test.run();
