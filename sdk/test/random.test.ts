// The counter-based generator: uniform, independent between purposes, sensitive to every bit of its
// key, and the same for ever.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fillKeepMask, randomStream } from '@lmflow/sdk';

/** Chi-square of counts against equal expectations, as standard deviations from its mean. */
function chiSquare(counts: ArrayLike<number>): number {
  const total = Array.from(counts).reduce((a, b) => a + b, 0);
  const expected = total / counts.length;
  const statistic = Array.from(counts).reduce(
    (sum, count) => sum + (count - expected) ** 2 / expected,
    0,
  );
  return (statistic - (counts.length - 1)) / Math.sqrt(2 * (counts.length - 1));
}

const bitsSet = (number: number): number => {
  let count = 0;
  for (let rest = number >>> 0; rest; rest &= rest - 1) count++;
  return count;
};
const keys = [
  [0, 'a'],
  [42, 'shuffle', 0],
  [42, 'shuffle', 1],
  [43, 'shuffle', 0],
  [1e9, 'dropout', 'model.layers.0', 7],
] as const;

for (const [seed, ...purpose] of keys) {
  test(`uniform: seed ${seed}, purpose ${purpose.join('/')}`, () => {
    const stream = randomStream(seed, ...purpose);
    const [first, last, pairs] = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)];
    let [sum, squares] = [0, 0];
    for (let index = 0; index < 100_000; index++) {
      const bits = stream.bits(index);
      const uniform = stream.uniform(index);
      assert.ok(uniform >= 0 && uniform < 1);
      first[bits >>> 24]!++;
      last[bits & 255]!++;
      pairs[(bits >>> 28) * 16 + (stream.bits(index + 1) >>> 28)]!++;
      const normal = index < 50_000 ? stream.normal(index) : 0;
      sum += normal;
      squares += normal * normal;
    }
    for (const [what, counts] of [
      ['high bits', first],
      ['low bits', last],
      ['neighbours', pairs],
    ] as const) {
      assert.ok(Math.abs(chiSquare(counts)) < 5, `${what}: ${chiSquare(counts)} deviations`);
    }
    assert.ok(
      Math.abs(sum / 50_000) < 0.02 && Math.abs(squares / 50_000 - 1) < 0.03,
      `normal: mean ${sum / 50_000}, variance ${squares / 50_000}`,
    );
  });
}

test('streams of different keys are independent', () => {
  const near: readonly (readonly [number, ...(string | number)[]])[] = [
    [1, 'x', 0],
    [1, 'x', 1],
    [1, 'x', 2],
    [1, 'x', 10],
    [1, 'y', 0],
    [2, 'x', 0],
    [-1, 'x', 0],
    [1, 'x'],
    [11, 'x', 0],
  ];
  const streams = near.map(([seed, ...purpose]) => randomStream(seed, ...purpose));
  const count = 20_000;
  for (let a = 0; a < streams.length; a++) {
    for (let b = a + 1; b < streams.length; b++) {
      const joint = new Uint32Array(64);
      let product = 0;
      for (let index = 0; index < count; index++) {
        const [left, right] = [streams[a]!.uniform(index), streams[b]!.uniform(index)];
        joint[Math.floor(left * 8) * 8 + Math.floor(right * 8)]!++;
        product += (left - 0.5) * (right - 0.5) * 12;
      }
      assert.ok(
        Math.abs(product / Math.sqrt(count)) < 4.5,
        `${near[a]!.join('/')} and ${near[b]!.join('/')} correlate`,
      );
      assert.ok(
        Math.abs(chiSquare(joint)) < 5.5,
        `${near[a]!.join('/')} and ${near[b]!.join('/')}: joint distribution`,
      );
    }
  }
});

test('avalanche: one bit of the index changes half of the bits', () => {
  const stream = randomStream(7, 'avalanche');
  for (let bit = 0; bit < 31; bit++) {
    let changed = 0;
    for (let index = 0; index < 2000; index++) {
      changed += bitsSet(stream.bits(index) ^ stream.bits(index ^ (1 << bit)));
    }
    assert.ok(Math.abs(changed / 2000 - 16) < 0.5, `bit ${bit}: ${changed / 2000} of 32`);
  }
});

test('avalanche: another epoch, seed or letter changes half of the bits', () => {
  for (const other of [randomStream(7, 'a', 1), randomStream(8, 'a', 0), randomStream(7, 'b', 0)]) {
    const stream = randomStream(7, 'a', 0);
    let changed = 0;
    for (let index = 0; index < 5000; index++) {
      changed += bitsSet(stream.bits(index) ^ other.bits(index));
    }
    assert.ok(Math.abs(changed / 5000 - 16) < 0.3, `${changed / 5000} of 32`);
  }
});

test('a permutation is one, depends on the key, and is fair', () => {
  for (const length of [0, 1, 2, 17, 1000]) {
    assert.equal(
      [...randomStream(1, 'p').permutation(length)].sort((a, b) => a - b),
      Array.from({ length }, (_, index) => index),
    );
  }
  assert.not.equal(randomStream(1, 'p').permutation(20), randomStream(2, 'p').permutation(20));
  const places = Array.from({ length: 5 }, () => new Uint32Array(5));
  const orders = new Map<string, number>();
  for (let epoch = 0; epoch < 12_000; epoch++) {
    const order = randomStream(3, 'fair', epoch).permutation(5);
    order.forEach((element, place) => {
      places[place]![element]!++;
    });
    const three = [...randomStream(3, 'three', epoch).permutation(3)].join('');
    orders.set(three, (orders.get(three) ?? 0) + 1);
  }
  places.forEach((counts, place) =>
    assert.ok(Math.abs(chiSquare(counts)) < 5, `place ${place}: ${[...counts].join(' ')}`),
  );
  assert.is(orders.size, 6);
  assert.ok(Math.abs(chiSquare([...orders.values()])) < 5);
});

test('the keep mask keeps its rate, whatever the length, and differs between steps', () => {
  for (const probability of [0, 0.05, 0.1, 0.5, 0.9, 1]) {
    for (const length of [1, 7, 100_000]) {
      const mask = new Uint8Array(length).fill(9);
      fillKeepMask(mask, probability, 1, 'dropout', length);
      assert.ok(mask.every((keep) => keep === 0 || keep === 1));
      const rate = mask.reduce((total, keep) => total + keep, 0) / length;
      const deviation = Math.sqrt((probability * (1 - probability)) / length);
      assert.ok(
        Math.abs(rate - (1 - probability)) <= 4.5 * deviation + 1e-5,
        `probability ${probability}, length ${length}: kept ${rate}`,
      );
    }
  }
  const masks = [0, 1].map((step) => {
    const mask = new Uint8Array(10_000);
    fillKeepMask(mask, 0.5, 1, 'site', step);
    return mask;
  });
  const agreeing = masks[0]!.filter((keep, index) => keep === masks[1]![index]).length;
  assert.ok(Math.abs(agreeing - 5000) < 250, `${agreeing} of 10000 agree`);
  const neighbours = masks[0]!.filter(
    (keep, index) => index > 0 && keep === masks[0]![index - 1],
  ).length;
  assert.ok(Math.abs(neighbours - 5000) < 250, `${neighbours} of 10000 like their neighbour`);
});

test('a mask is the same again, and the beginning of a longer one', () => {
  const [short, long] = [new Uint8Array(33), new Uint8Array(64)];
  fillKeepMask(short, 0.3, 5, 'x');
  fillKeepMask(long, 0.3, 5, 'x');
  assert.equal([...short], [...long.subarray(0, 33)]);
});

// A resumed run must draw what the interrupted one would have: these numbers may never change.
test('the numbers are fixed', () => {
  const stream = randomStream(42, 'shuffle', 0);
  assert.equal(
    [0, 1, 2, 1e6].map((index) => stream.bits(index)),
    [4186857569, 1197295962, 2168100398, 3427745417],
  );
  assert.equal([...stream.permutation(6)], [3, 4, 5, 2, 0, 1]);
  const mask = new Uint8Array(8);
  fillKeepMask(mask, 0.5, 42, 'dropout', 1);
  assert.is(mask.join(''), '01110011');
});

test.run();
