// The dynamic map of 8-bit numbers against bitsandbytes' definition in PyTorch
// (fixtures/dynamic-map.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dynamicMap } from '@lmflow/sdk/formats';

const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'dynamic-map.json'), 'utf8'),
) as Record<'signed' | 'unsigned', string>;

for (const kind of ['signed', 'unsigned'] as const) {
  const map = dynamicMap(kind === 'signed');

  test(`${kind}: bit for bit bitsandbytes' values`, () => {
    const bytes = new Uint8Array(Buffer.from(fixture[kind], 'base64'));
    assert.is(map.length, 256);
    assert.equal(new Uint8Array(map.buffer), bytes);
  });

  // Optimizer state of 8 bits was saved with a map computed in float64 and rounded once.
  test(`${kind}: a code that was saved before stands for the same number`, () => {
    const numbers = [0, 1];
    for (let decade = 0; decade < 7; decade++) {
      const count = 2 ** (kind === 'signed' ? decade : decade + 1);
      for (let item = 0; item < count; item++) {
        const number = (0.1 + (0.9 * (item + 0.5)) / count) * 10 ** (decade - 6);
        numbers.push(...(kind === 'signed' ? [number, -number] : [number]));
      }
    }
    const before = Float32Array.from(numbers).sort();
    before.forEach((number, code) => {
      assert.ok(Math.abs(map[code]! - number) <= 1.5e-7 * Math.abs(number), `code ${code}`);
    });
  });
}

test.run();
