// Quantizing by itself: layout and numbers by hand, and an error no larger than that of the plain
// recipe.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { randomStream } from '@lmflow/sdk';
import { dequantize, quantize, type Bits, type Scheme } from '../src/blocks.ts';

const normal = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => randomStream(3, 'blocks').normal(index));
const squaredError = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, number, index) => sum + (number - b[index]!) ** 2, 0);

test('codes around the middle, the first of a byte in the low half; a short block is filled up with what stands for 0', () => {
  // Multiples of 0.5, the largest -4 = -8 x 0.5: exact.
  const numbers = Float32Array.of(
    -4,
    3.5,
    0,
    0.5,
    -0.5,
    1,
    ...new Array<number>(10).fill(0),
    2,
    -16,
  );
  const { packed, scales, zeroPoints } = quantize(numbers, 1, 18, {
    bits: 4,
    blockSize: 16,
    symmetric: true,
  });
  assert.equal([...scales], [0.5, 2]);
  assert.equal(
    [...packed],
    [
      0xf0, 0x98, 0xa7, 0x88, 0x88, 0x88, 0x88, 0x88, 0x09, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88,
      0x88,
    ],
  );
  assert.is(zeroPoints, undefined);
});

test('zero points: numbers on one side of zero use all codes; two in a byte', () => {
  const numbers = Float32Array.from({ length: 48 }, (_, index) =>
    index < 16 ? index : index < 32 ? -(index - 16) : 0,
  );
  const scheme: Scheme = { bits: 4, blockSize: 16, symmetric: false };
  const quantized = quantize(numbers, 1, 48, scheme);
  assert.equal(
    dequantize(quantized, 1, 48, scheme),
    numbers.map((number) => number + 0),
  );
  assert.equal([...quantized.zeroPoints!], [0xf0, 0x08]);
});

test('8 bits: a byte a code, the largest number exact', () => {
  const scheme: Scheme = { bits: 8, blockSize: 32, symmetric: true };
  const numbers = Float32Array.from({ length: 64 }, (_, index) => index - 40);
  const quantized = quantize(numbers, 2, 32, scheme);
  assert.is(quantized.packed.length, 64);
  const found = dequantize(quantized, 2, 32, scheme);
  found.forEach((number, index) =>
    assert.ok(
      Math.abs(number - numbers[index]!) <= Math.abs(quantized.scales[index >> 5]!) * 0.75,
      `${index}: ${number}`,
    ),
  );
});

for (const bits of [4, 8] as readonly Bits[]) {
  test(`${bits} bits: the search is no worse than rounding with the largest number's scale, zero points no worse than none`, () => {
    const numbers = normal(64 * 64);
    const apart = (symmetric: boolean): number => {
      const scheme: Scheme = { bits, blockSize: 32, symmetric };
      return squaredError(numbers, dequantize(quantize(numbers, 64, 64, scheme), 64, 64, scheme));
    };
    const levels = 2 ** (bits - 1) - 1;
    const plain = numbers.map((number, index) => {
      const block = numbers.subarray(index - (index % 32), index - (index % 32) + 32);
      const scale = block.reduce((sofar, one) => Math.max(sofar, Math.abs(one)), 0) / levels;
      return Math.round(number / scale) * scale;
    });
    assert.ok(
      apart(true) < squaredError(numbers, plain) * (bits === 4 ? 0.85 : 1.01),
      `${apart(true)} against ${squaredError(numbers, plain)}`,
    );
    assert.ok(apart(false) < apart(true), `${apart(false)} against ${apart(true)}`);
  });
}

test.run();
