// Which files are tests, which of them are slow, and what a test file must contain so that uvu
// cannot pass it without running it.
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

const roots = ['sdk', 'kernel', 'plugins', 'presets', 'playground', 'test'];
const skipped = new Set(['node_modules', 'dist', 'fixtures', 'out', '.cache']);

/**
 * Paths of the *.test.ts files, with forward slashes, sorted. Every file is in one of two tiers: a
 * name that ends with .slow.test.ts is slow, every other is fast.
 * @param {'fast' | 'slow' | 'both'} tier
 * @param {string[]} filters where given, only files whose path contains one of these
 * @returns {string[]}
 */
export function testFiles(tier, filters = []) {
  return roots
    .flatMap((folder) => walk(folder))
    .filter((file) => tier === 'both' || file.endsWith('.slow.test.ts') === (tier === 'slow'))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort();
}

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : walk(path);
    return entry.name.endsWith('.test.ts') ? [path.replaceAll(sep, '/')] : [];
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
