// A sample of malformed inputs; test/mutate/run.ts makes any number of them.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isFine, mutate } from './run.ts';

test('160 malformed inputs end in an error with a code or in a result', async () => {
  // Other tests run beside this one, so time is given freely.
  const outcomes = await mutate(160, 0, 60_000);
  assert.is(outcomes.length, 160);
  assert.equal(
    outcomes.filter((outcome) => !isFine(outcome)),
    [],
  );
  assert.is(new Set(outcomes.map(({ kind }) => kind)).size, 16);
});

test.run();
