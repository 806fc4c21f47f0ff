// npm test: format, lint, type check, build, unit tests, packaging; each gate counts as one test.
//   npm test                    everything
//   npm run test:unit           only the tests in *.test.ts files
//   npm test -- models lora     only the test files whose path contains one of these words
//   --jobs n (2), --timeout seconds per file (600)
// The last line is always "N passed, N failed[, N skipped]"; the exit code is 0 only if all ran and
// none failed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run, runFile } from './runner/execute.mjs';
import { testFiles } from './runner/files.mjs';

const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    unit: { type: 'boolean' },
    jobs: { type: 'string', default: '2' },
    timeout: { type: 'string', default: '600' },
  },
});
process.chdir(new URL('..', import.meta.url).pathname);

// What the tests leave in the temporary folder goes with the run.
const temporary = mkdtempSync(join(tmpdir(), 'lmflow-test-'));
process.env.TMPDIR = temporary;
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));

const sum = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const everything = !values.unit && filters.length === 0;

if (everything) await Promise.all([gate('format:check'), gate('lint'), gate('typecheck')]);
if (everything) await gate('build');
await unitTests();
if (everything) await gate('test:packaging');

if (failures.length > 0) print(`\nFailed:\n${failures.map((line) => `  ${line}`).join('\n')}`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;
print(
  `\n${sum.passed} passed, ${sum.failed} failed${sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''}`,
);

async function gate(script) {
  const { code, output, seconds } = await run('npm', ['run', '--silent', script]);
  if (code === 0) sum.passed++;
  else fail(`npm run ${script}`, `ended with code ${code}`);
  report(code === 0, `npm run ${script}`, seconds, '', code === 0 ? '' : output);
}

async function unitTests() {
  const files = testFiles(filters);
  if (files.length === 0)
    fail('unit tests', `no test file matches ${filters.join(', ') || '*.test.ts'}`);
  const queue = [...files];
  const results = [];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file, Number(values.timeout));
      results.push(result);
      tell(result);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  if (results.length !== files.length)
    fail('unit tests', `${files.length - results.length} files did not run`);
}

function tell({ file, passed, failed, skipped, seconds, problem, output, notes }) {
  sum.passed += passed;
  sum.skipped += skipped;
  if (problem) fail(file, problem, failed);
  const counts = `${passed} passed${failed ? `, ${failed} failed` : ''}${skipped ? `, ${skipped} skipped` : ''}`;
  report(
    !problem,
    file,
    seconds,
    problem ? `${counts}: ${problem}` : counts,
    problem ? output : notes.map((note) => `${note}\n`).join(''),
  );
}

function fail(what, why, count = 1) {
  sum.failed += count;
  failures.push(`${what}: ${why}`);
}

function report(ok, what, seconds, counts, details) {
  print(
    `${ok ? 'ok  ' : 'FAIL'} ${`${seconds.toFixed(1)}s`.padStart(7)}  ${what}${counts && `  ${counts}`}`,
  );
  if (details) print(details.replace(/^(?=.)/gm, '        ').trimEnd());
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
