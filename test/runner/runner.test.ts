// The runner itself: each way in which uvu alone would pass by accident is a fixture here, and must
// fail.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runFile } from './execute.mjs';

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

test.run();
