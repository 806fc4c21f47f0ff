// The runner itself: each way in which uvu alone would pass by accident is a fixture here, and must
// fail.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runFile } from './execute.mjs';
import { testFiles } from './files.mjs';
import { closingLine, countsIn, slowest, sum } from './report.mjs';

const fails: [name: string, problem: RegExp][] = [
  ['before-throws', /1 of 1 tests failed/],
  ['rejects-nothing', /1 of 1 tests failed/],
  ['forgotten', /second: \.run\(\) is never called/],
  ['empty', /no test ran/],
  ['never-settles', /before uvu's summary/],
  ['exits', /before uvu's summary/],
  ['only', /leaves out the other tests/],
  ['throws-late', /process ended with code 1/],
];

for (const [name, problem] of fails) {
  test(`${name} fails`, async () => {
    const result = await runFile(`test/runner/fixtures/${name}.test.ts`, 60);
    assert.match(result.problem ?? '', problem);
    assert.ok(result.failed > 0);
  });
}

test('a file that hangs is stopped', async () => {
  const result = await runFile('test/runner/fixtures/hangs.test.ts', 3);
  assert.is(result.problem, 'stopped after 3 s');
});

test('passed and skipped tests are counted over all suites of a file', async () => {
  const { passed, failed, skipped, problem } = await runFile(
    'test/runner/fixtures/good.test.ts',
    60,
  );
  assert.equal(
    { passed, failed, skipped, problem },
    { passed: 2, failed: 0, skipped: 1, problem: undefined },
  );
});

test('a file may skip all its tests when it says why', async () => {
  const { skipped, notes, problem } = await runFile('test/runner/fixtures/skips-all.test.ts', 60);
  assert.equal(
    { skipped, notes, problem },
    { skipped: 1, notes: ['skipped: no ../shared'], problem: undefined },
  );
});

test('the fast and the slow tier are all test files, each once', () => {
  const [fast, slow] = [testFiles('fast'), testFiles('slow')];
  assert.equal([...fast, ...slow].sort(), testFiles('both'));
  assert.ok(fast.length > 0 && slow.length > 0);
  assert.equal(
    fast.filter((file) => slow.includes(file)),
    [],
  );
  assert.ok(slow.every((file) => file.endsWith('.slow.test.ts')));
});

test('words choose files by their path', () => {
  assert.equal(testFiles('both', ['test/runner/']), ['test/runner/runner.test.ts']);
  assert.equal(testFiles('slow', ['test/runner/']), []);
});

test('a closing line is read as it is written, and only where it is the last line', () => {
  for (const counts of [
    { passed: 3, failed: 0, skipped: 0 },
    { passed: 12, failed: 1, skipped: 2 },
  ]) {
    assert.equal(countsIn(`ok file  9 passed\n\n${closingLine(counts)}\n`), counts);
  }
  assert.is(closingLine({ passed: 3, failed: 0, skipped: 0 }), '3 passed, 0 failed');
  assert.is(countsIn('3 passed, 0 failed\nKilled\n'), undefined);
  assert.is(countsIn(''), undefined);
});

test('runs are summed; one that breaks off or fails unexplained is a failure', () => {
  const good = { code: 0, output: '2 passed, 0 failed, 1 skipped' };
  const bad = { code: 1, output: '1 passed, 2 failed' };
  assert.equal(sum([good, good]), { passed: 4, failed: 0, skipped: 2 });
  assert.equal(sum([good, bad]), { passed: 3, failed: 2, skipped: 1 });
  assert.equal(sum([good, { code: 137, output: 'Killed' }]), { passed: 2, failed: 1, skipped: 1 });
  assert.equal(sum([{ ...good, code: 1 }]), { passed: 2, failed: 1, skipped: 1 });
});

test('the slowest are the ten longest, longest first', () => {
  const ran = Array.from({ length: 12 }, (_, index) => ({ what: `f${index}`, seconds: index }));
  const lines = slowest(ran);
  assert.is(lines.length, 10);
  assert.match(lines[0]!, /^ +11\.0s {2}f11$/);
  assert.match(lines[9]!, /^ +2\.0s {2}f2$/);
});

test.run();
