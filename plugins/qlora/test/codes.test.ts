// Quantizing and dequantizing against bitsandbytes' documented algorithm in numpy
// (fixtures/bnb4.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { byteTable, CODES, dequantize, quantize, type QuantType } from '../src/codes.ts';
import { dequantizeScales, DYNAMIC, quantizeScales } from '../src/scales.ts';

interface Case {
  readonly name: string;
  readonly type: QuantType;
  readonly numbers: string;
  readonly packed: string;
  readonly absmax: string;
  readonly double?: {
    readonly codes: string;
    readonly scales: string;
    readonly mean: number;
    readonly absmax: string;
  };
}
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'bnb4.json'), 'utf8'),
) as {
  readonly dynamic: string;
  readonly nf4: string;
  readonly fp4: string;
  readonly cases: readonly Case[];
};
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const floats = (text: string): Float32Array => new Float32Array(bytes(text).buffer);

function close(
  actual: Float32Array,
  expected: Float32Array,
  tolerance: number,
  what: string,
): void {
  assert.is(actual.length, expected.length, what);
  const worst = expected.reduce(
    (sofar, number, index) => Math.max(sofar, Math.abs(number - actual[index]!)),
    0,
  );
  assert.ok(worst <= tolerance, `${what}: ${worst}`);
}

test("the tables are bitsandbytes'", () => {
  assert.equal(CODES.nf4, floats(fixture.nf4));
  close(CODES.fp4, floats(fixture.fp4), 1e-7, 'fp4');
  close(DYNAMIC, floats(fixture.dynamic), 1e-7, 'dynamic map');
  assert.is(DYNAMIC.length, 256);
});

for (const { name, type, numbers, packed, absmax, double } of fixture.cases) {
  test(`${type}, ${name}: the same bytes and scales`, () => {
    const found = quantize(floats(numbers), type);
    assert.equal(found.packed, bytes(packed));
    assert.equal(found.scales, floats(absmax));
  });
  if (double) {
    test(`double quantization, ${name}`, () => {
      const found = quantizeScales(floats(absmax));
      assert.equal(found.codes, bytes(double.codes));
      assert.equal(found.scales, floats(double.scales));
      assert.ok(Math.abs(found.mean - double.mean) <= 1e-7 * double.mean);
      const scales = floats(double.absmax);
      close(
        dequantizeScales(found),
        scales,
        1e-6 * scales.reduce((a, b) => Math.max(a, b), 0),
        'scales',
      );
    });
  }
}

test('the first number is in the high half of a byte', () => {
  const { packed, scales } = quantize(Float32Array.of(1, -1, 0), 'nf4');
  assert.equal(packed, Uint8Array.of(0xf0, 0x70));
  assert.equal(scales, Float32Array.of(1));
  assert.equal([...byteTable('nf4').subarray(2 * 0xf0, 2 * 0xf0 + 2)], [1, -1]);
});

for (const type of ['nf4', 'fp4'] as const) {
  test(`${type}: every number gets the code that is nearest to it`, () => {
    const numbers = Float32Array.from({ length: 1 << 16 }, (_, place) =>
      place % 64 === 0 ? 1 : 2 * (place / (1 << 16)) - 1,
    );
    const found = dequantize(quantize(numbers, type), numbers.length, type);
    const wrong = numbers.findIndex(
      (number, place) =>
        Math.abs(number - found[place]!) >
        1e-6 +
          CODES[type].reduce((least, code) => Math.min(least, Math.abs(number - code)), Infinity),
    );
    assert.is(wrong, -1, `${numbers[wrong]} became ${found[wrong]}`);
  });
}

test('dequantized numbers are within half a step of the largest', () => {
  for (const { type, numbers } of fixture.cases) {
    const given = floats(numbers);
    const quantized = quantize(given, type);
    const back = dequantize(quantized, given.length, type);
    given.forEach((number, index) =>
      assert.ok(Math.abs(number - back[index]!) <= 0.17 * quantized.scales[index >> 6]! + 1e-9),
    );
  }
});

test.run();
