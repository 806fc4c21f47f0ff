// Runs the gates and the tests; each gate counts as one test.
//   npm test                    format, lint, types, build, the fast tests, packaging
//   npm run test:slow           build, the slow tests (*.slow.test.ts)
//   npm run test:unit           only the fast tests
//   npm test -- models lora     only the test files, fast and slow, whose path contains a word
//   --jobs n (2), --timeout seconds per file (600)
// The last line is always "N passed, N failed[, N skipped]"; the exit code is 0 only if all ran and
// none failed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { npm, run, runFile } from './runner/execute.mjs';
import { testFiles } from './runner/files.mjs';
import { Report } from './runner/report.mjs';

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    slow: { type: 'boolean' },
    unit: { type: 'boolean' },
    jobs: { type: 'string', default: '2' },
    timeout: { type: 'string', default: '600' },
  },
});
process.chdir(resolve(import.meta.dirname, '..'));

// What the tests leave in the temporary folder goes with the run.
const temporary = mkdtempSync(join(tmpdir(), 'lmflow-test-'));
for (const name of ['TMPDIR', 'TMP', 'TEMP']) process.env[name] = temporary;
process.env.LMFLOW_CACHE = join(temporary, 'cache'); // not the user's own
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));

const report = new Report();
const withGates = !values.unit && words.length === 0;

if (withGates && !values.slow) {
  await Promise.all([gate('format:check'), gate('lint'), gate('typecheck')]);
}
if (withGates) await gate('build');
await tests();
if (withGates && !values.slow) await gate('test:packaging');
process.exitCode = report.close() ? 0 : 1;

async function gate(script) {
  report.gate(`npm run ${script}`, await run(...npm(['run', '--silent', script])));
}

async function tests() {
  const files = testFiles(tier(), words);
  if (files.length === 0) report.fail('tests', `no test file matches ${words.join(', ')}`);
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      report.file(await runFile(file, Number(values.timeout)));
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
}

function tier() {
  if (values.slow) return 'slow';
  return words.length > 0 ? 'both' : 'fast';
}
