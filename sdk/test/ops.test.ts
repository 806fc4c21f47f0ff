// Every op of the sdk on its cases: results, decomposition and gradients. The cases are part of the
// test kit, for engines to run too.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as graph from '@lmflow/sdk/graph';
import { checkOp, opChecks } from '@lmflow/sdk/testing';

for (const check of opChecks) {
  test(`${check.op.name}: ${check.cases.length} cases`, () => {
    checkOp(check);
  });
}

test('every op has cases', () => {
  const ops = Object.entries(graph).filter(
    ([name]) => name.endsWith('Op') && name !== 'applyOp' && name !== 'defineOp',
  );
  const covered = new Set<unknown>(opChecks.map(({ op }) => op));
  assert.equal(
    ops.filter(([, op]) => !covered.has(op)).map(([name]) => name),
    [],
    'add cases to sdk/src/testing/cases',
  );
  assert.is(
    new Set(opChecks.map(({ op }) => op.name)).size,
    opChecks.length,
    'two ops have one name',
  );
  ops.forEach(([name, op]) => assert.is(`${(op as graph.OpDefinition).name}Op`, name));
});

test.run();
