// No file of a package imports itself by way of others, for values or for types.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { publicPackages } from '../packaging/tarballs.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The files of the package that a file imports, for values or for types. */
function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'));
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => resolve(dirname(file), fileName));
}

/** The first circle of imports from each file on. */
function cycles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    if (path.includes(file)) {
      const circle = [...path.slice(path.indexOf(file)), file];
      found.push(circle.map((one) => one.slice(root.length)).join(' > '));
    }
    if (done.has(file)) return;
    done.add(file);
    path.push(file);
    imports.get(file)?.forEach(visit);
    path.pop();
  };
  for (const file of imports.keys()) visit(file);
  return found;
}

for (const { folder } of publicPackages(root)) {
  test(`${folder}: no circle of imports`, () => {
    const src = join(root, folder, 'src');
    if (!existsSync(src)) return;
    const files = readdirSync(src, { recursive: true })
      .map((name) => join(src, String(name)))
      .filter((file) => file.endsWith('.ts'));
    assert.equal(cycles(new Map(files.map((file) => [file, importsOf(file)]))), []);
  });
}

test('a circle is found', () => {
  const circle = cycles(
    new Map([
      ['/a', ['/b']],
      ['/b', ['/c', '/a']],
    ]),
  );
  assert.is(circle.length, 1);
});

test.run();
