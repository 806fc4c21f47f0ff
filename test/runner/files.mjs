// Which files are tests, and what a test file must contain so that uvu cannot pass it without
// running it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const roots = ['sdk', 'kernel', 'plugins', 'presets', 'playground', 'test'];
const skipped = new Set(['node_modules', 'dist', 'fixtures', 'out', '.cache']);

/**
 * Paths of all *.test.ts files, sorted; with filters only those whose path contains one of them.
 */
export function testFiles(filters) {
  const files = roots.flatMap((folder) => walk(folder)).sort();
  return filters.length === 0
    ? files
    : files.filter((file) => filters.some((filter) => file.includes(filter)));
}

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : walk(path);
    return entry.name.endsWith('.test.ts') ? [path] : [];
  });
}

/**
 * Why this file's tests could be left out unseen, or undefined: uvu exits 0 for a suite that is
 * never run.
 */
export function neverRun(file) {
  const code = readFileSync(file, 'utf8');
  const suites = [...code.matchAll(/\b(?:const|let|var)\s+(\w+)\s*=\s*suite\b/g)].map(
    (match) => match[1],
  );
  if (/\bimport\s*\{[^}]*\btest\b[^}]*\}\s*from\s*['"]uvu['"]/.test(code)) suites.push('test');
  const forgotten = suites.filter((name) => !new RegExp(`\\b${name}\\.run\\(\\)`).test(code));
  if (forgotten.length > 0) return `${forgotten.join(', ')}: .run() is never called`;
  if (!/\.run\(\)/.test(code)) return 'no .run() in it';
  const only = code.match(/^\s*\w+\.only\(/m);
  return only ? `${only[0].trim()}…) leaves out the other tests` : undefined;
}
