// One range of Node versions, everywhere it is said: manifests, doctor, README, CONTRIBUTING, CI.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { publicPackages } from '../packaging/tarballs.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8');
const range = '>=20.19';

for (const folder of [
  '.',
  'playground/domain-adaptation',
  ...publicPackages(root).map((one) => one.folder),
]) {
  test(`${folder}: engines.node is ${range}`, () => {
    const { engines } = JSON.parse(read(`${folder}/package.json`)) as {
      engines?: { node?: string };
    };
    assert.is(engines?.node, range);
  });
}

test('doctor, README, CONTRIBUTING and CI say the same', () => {
  assert.match(read('kernel/src/cli/doctor.ts'), `'${range}'`);
  for (const file of ['README.md', 'CONTRIBUTING.md']) {
    assert.match(read(file), `Node.js ${range.replace('>=', '>= ')}`);
  }
  const [, versions] = /^ +node: \[(.*)\]$/m.exec(read('.github/workflows/ci.yml')) ?? [];
  assert.is(
    versions?.split(', ')[0],
    `'${range.replace('>=', '')}'`,
    'the lowest version is tested',
  );
});

test.run();
