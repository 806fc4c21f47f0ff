// No file of a package imports itself at run time by way of others. Types may go in circles.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { publicPackages } from '../packaging/tarballs.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Gradients of ops are made of ops, so these files need one another; none does at its top. */
const allowed = join(root, 'sdk/src/graph/ops/');

/** The files that a file imports at run time. */
function importsOf(file: string): string[] {
  const { statements } = ts.createSourceFile(
    file,
    readFileSync(file, 'utf8'),
    ts.ScriptTarget.Latest,
  );
  return statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier) || isTypeOnly(statement)) {
      return [];
    }
    const { text } = moduleSpecifier;
    return text.startsWith('.') ? [resolve(dirname(file), text)] : [];
  });
}

function isTypeOnly(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  const names = ts.isImportDeclaration(statement)
    ? statement.importClause?.namedBindings
    : statement.exportClause;
  if (ts.isExportDeclaration(statement) ? statement.isTypeOnly : isTypeImport(statement)) {
    return true;
  }
  if (ts.isImportDeclaration(statement) && statement.importClause?.name) return false;
  return (
    names !== undefined &&
    (ts.isNamedImports(names) || ts.isNamedExports(names)) &&
    names.elements.every((element) => element.isTypeOnly)
  );
}

function isTypeImport({ importClause }: ts.ImportDeclaration): boolean {
  return importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

/** The first circle of imports from each file on. */
function cycles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    if (path.includes(file)) {
      const circle = [...path.slice(path.indexOf(file)), file];
      if (!circle.every((one) => one.startsWith(allowed))) {
        found.push(circle.map((one) => one.slice(root.length)).join(' > '));
      }
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
