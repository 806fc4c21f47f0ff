// Quantized blocks: the decoders agree with the gguf package's, and the encoders stay within
// the error that the types allow.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TENSOR_TYPES, type TensorTypeName } from '../src/gguf/types.ts';
import { decode } from './reader.ts';

interface Fixture {
  readonly numbers: string;
  readonly types: Readonly<
    Record<string, { readonly bytes: string; readonly numbers: number[]; readonly error?: number }>
  >;
}
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'blocks.json'), 'utf8'),
) as Fixture;
const normal = new Float32Array(Uint8Array.from(Buffer.from(fixture.numbers, 'base64')).buffer);

function error(name: TensorTypeName, numbers: Float32Array): number {
  const type = TENSOR_TYPES[name];
  const bytes = type.encode(numbers);
  assert.is(bytes.length, (numbers.length / type.block) * type.bytes);
  const again = decode(name, bytes);
  return Math.sqrt(
    again.reduce((sum, number, index) => sum + (number - numbers[index]!) ** 2, 0) / numbers.length,
  );
}

for (const [name, { bytes, numbers }] of Object.entries(fixture.types)) {
  test(`${name} is decoded as the gguf package does`, () => {
    const found = decode(name, Uint8Array.from(Buffer.from(bytes, 'base64')));
    assert.is(found.length, numbers.length);
    found.forEach((number, index) => {
      assert.ok(
        Math.abs(number - numbers[index]!) <= 1e-6 * Math.abs(numbers[index]!) + 1e-7,
        `${index}: ${number} and ${numbers[index]!}`,
      );
    });
  });
}

// Of normal numbers. Q4_0 and Q8_0: at most the gguf package's; the others by their bits.
const LIMITS: Readonly<Record<string, number>> = {
  Q8_0: fixture.types['Q8_0']!.error! * 1.001,
  Q4_0: fixture.types['Q4_0']!.error!,
  Q4_K: 0.075,
  Q6_K: 0.019,
  F16: 3e-4,
};

for (const [name, limit] of Object.entries(LIMITS)) {
  test(`${name}: error of encoding`, () => {
    const found = error(name as TensorTypeName, normal);
    assert.ok(found <= limit, `${found} > ${limit}`);
    assert.ok(found > limit / 4);
    // Relative: the same numbers, scaled. Not too small: the scales are float16.
    assert.ok(
      error(
        name as TensorTypeName,
        normal.map((number) => number * 64),
      ) <=
        64.5 * limit,
    );
    assert.ok(
      error(
        name as TensorTypeName,
        normal.map((number) => number / 64),
      ) <=
        limit / 60,
    );
  });

  test(`${name}: zeros, equal numbers, one outlier, positive and negative numbers only`, () => {
    assert.is(error(name as TensorTypeName, new Float32Array(512)), 0);
    for (const value of [0.5, -0.5]) {
      assert.ok(
        error(name as TensorTypeName, new Float32Array(512).fill(value)) < 0.005,
        String(value),
      );
    }
    const outlier = Float32Array.from({ length: 512 }, (_, index) => (index === 300 ? -7 : 0));
    assert.ok(error(name as TensorTypeName, outlier) < 0.01);
    for (const sign of [1, -1]) {
      assert.ok(
        error(
          name as TensorTypeName,
          normal.map((number) => sign * Math.abs(number)),
        ) <=
          1.2 * limit,
        String(sign),
      );
    }
  });
}

test.run();
