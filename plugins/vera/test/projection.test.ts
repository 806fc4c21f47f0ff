// The random matrices are PyTorch's, to the last bit. Digests: test/reference/vera_projection.py.
import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LinearLayer } from '@lmflow/sdk/model';
import { drawProjection } from '../src/projection.ts';

const digest = ({ buffer }: Float32Array): string =>
  createHash('sha256').update(new Uint8Array(buffer)).digest('hex').slice(0, 16);

const cases: [key: number, rank: number, input: number, output: number, a: string, b: string][] = [
  [0, 4, 32, 96, '7112de55dcb91e80', 'b4ad09b244f7670b'],
  [11, 6, 56, 32, 'b43ae010a1cd1583', '2f6c0f847ac1e1cc'],
  [123_456_789, 3, 300, 700, '395cc542c1b6387b', 'f9c43e9ef9a934d1'],
];

for (const [key, rank, inFeatures, outFeatures, a, b] of cases) {
  test(`key ${key}, rank ${rank}: PyTorch's A and B`, () => {
    // the sizes are those of the widest input and the widest output
    const layers = [
      { inFeatures, outFeatures: 1 },
      { inFeatures: 1, outFeatures },
    ] as LinearLayer[];
    const drawn = drawProjection(key, rank, layers);
    assert.is(digest(drawn.a), a);
    assert.is(digest(drawn.b), b);
  });
}

test.run();
