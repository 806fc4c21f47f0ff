// Advantages against the vectors of alignment.md and numbers by hand: groups, missing rewards, several
// functions, leave-one-out.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  groupAdvantages,
  leaveOneOut,
  separateAdvantages,
  stdOf,
  totalsOf,
} from '../src/advantages.ts';

function near(found: ArrayLike<number>, expected: readonly number[], bound = 1e-9): void {
  assert.is(found.length, expected.length);
  expected.forEach((value, index) => {
    assert.ok(Math.abs(found[index]! - value) < bound, `${index}: ${found[index]}, not ${value}`);
  });
}

const REWARDS = [1, 0, 0, 0.5];

test('the vectors of GRPO, of no scaling and of RLOO', () => {
  const grpo = groupAdvantages(REWARDS, 4, 'group');
  near(grpo.advantages, [1.30530975, -0.78318585, -0.78318585, 0.26106195], 5e-9);
  near(groupAdvantages(REWARDS, 4, 'none').advantages, [0.625, -0.375, -0.375, 0.125], 1e-12);
  const rloo = leaveOneOut(REWARDS, 4, { normalise: false });
  near(rloo.advantages, [5 / 6, -0.5, -0.5, 1 / 6], 1e-12);
  assert.is(grpo.zeroStd, 0);
});

test('by the deviation of all rewards', () => {
  const rewards = [1, 0, 3, 3];
  const { advantages, zeroStd } = groupAdvantages(rewards, 2, 'batch');
  near(
    advantages,
    [0.5, -0.5, 0, 0].map((gain) => gain / (1.5 + 1e-4)),
    1e-12,
  );
  assert.is(stdOf(rewards), 1.5);
  assert.is(zeroStd, 0);
  assert.is(groupAdvantages(rewards, 2, 'group').zeroStd, 0.5);
});

test('a missing reward is no 0: it moves no mean, and its answer has no advantage', () => {
  near(groupAdvantages([1, null, 0, null], 4, 'none').advantages, [0.5, 0, -0.5, 0], 1e-12);
  near(leaveOneOut([1, null, 0, 2], 4, { normalise: false }).advantages, [0, 0, -1.5, 1.5], 1e-12);
  near(leaveOneOut([1, null], 2, { normalise: false }).advantages, [0, 0]);
  near(groupAdvantages([null, null], 2, 'group').advantages, [0, 0]);
  near(groupAdvantages([4, null], 2, 'group').advantages, [0, 0]);
});

test('weighted sums take what applies', () => {
  assert.equal(
    totalsOf(
      [
        [1, 2],
        [null, 2],
        [1, null],
        [null, null],
      ],
      [1, 0.5],
    ),
    [2, 1, 1, null],
  );
});

test('each function compared alone, and the sums over all', () => {
  // a function of large numbers counts as much as one of small ones
  const rewards = [
    [0, 1000],
    [1, 0],
    [1, 0],
    [0, 1000],
  ];
  const step = Math.SQRT1_2 / (Math.SQRT1_2 + 1e-4) / Math.SQRT2;
  const large = 500 / (500 * Math.SQRT2 + 1e-4);
  const sums = [large - step, step - large, step - large, large - step];
  const std = Math.sqrt((4 * (large - step) ** 2) / 3);
  const { advantages } = separateAdvantages(rewards, [1, 1], 2);
  near(
    advantages,
    sums.map((sum) => sum / (std + 1e-4)),
    1e-9,
  );
  near(separateAdvantages([[1], [null], [0], [null]], [1], 2).advantages, [0, 0, 0, 0]);
});

test('normalised over the round', () => {
  const { advantages } = leaveOneOut([1, 0, 3, 1], 2, { normalise: true });
  const std = stdOf([1, -1, 2, -2]);
  near(
    advantages,
    [1, -1, 2, -2].map((gain) => gain / (std + 1e-4)),
    1e-12,
  );
});

test.run();
