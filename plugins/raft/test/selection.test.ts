// Which answers are trained, what a round says of itself, and which samples they become; numbers by hand.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IGNORED } from '@lmflow/sdk';
import { roundChart } from '../src/chart.ts';
import {
  alarmsOf,
  figuresOf,
  roundsWithoutGain,
  roundTable,
  type Measured,
  type RoundFigures,
} from '../src/figures.ts';
import { mostSelected, rankOf, selectedOf, type Candidate } from '../src/selection.ts';
import { microBatchesOf, packedOf, sampleOf, stepsOf, type Batching } from '../src/winners.ts';

const OPTIONS = {
  selection: 'best',
  topFraction: undefined,
  threshold: undefined,
  mixedOnly: false,
  truncated: 'drop',
  truncationPenalty: undefined,
  klCoef: 0,
} as const;

function candidates(
  rewards: readonly (readonly (number | null)[])[],
  changes: Readonly<Record<number, Partial<Candidate>>> = {},
): Candidate[] {
  return rewards
    .flatMap((group, prompt) => group.map((reward) => ({ prompt, reward })))
    .map((one, index) => ({
      ...one,
      content: String(index),
      ended: true,
      divergence: 0,
      ...changes[index],
    }));
}

test('best: one of each prompt, the first of equals, none without a reward', () => {
  const all = candidates([
    [1, 3, 2],
    [5, 5, 0],
    [null, null, null],
    [null, -4, -5],
  ]);
  assert.equal(selectedOf(all, OPTIONS), [1, 3, 10]);
});

test('cut answers are dropped, cost a penalty, or are kept', () => {
  const all = candidates([[1, 3, 2]], { 1: { ended: false } });
  assert.equal(selectedOf(all, OPTIONS), [2]);
  assert.equal(selectedOf(all, { ...OPTIONS, truncated: 'penalize' }), [1]);
  assert.equal(selectedOf(all, { ...OPTIONS, truncated: 'penalize', truncationPenalty: 1.5 }), [2]);
  assert.equal(selectedOf(all, { ...OPTIONS, truncated: 'keep' }), [1]);
});

test('ranked by reward less the divergence', () => {
  const all = candidates([[1, 3, 2]], { 1: { divergence: 20 } });
  assert.is(rankOf(all[1]!, { ...OPTIONS, klCoef: 0.1 }), 1);
  assert.equal(selectedOf(all, { ...OPTIONS, klCoef: 0.1 }), [2]);
});

test('topFraction: the best of all; positive: all above the threshold, once each', () => {
  const all = candidates([
    [1, 3, 2, 9],
    [8, 5, -1, 0],
  ]);
  const top = { ...OPTIONS, selection: 'topFraction', topFraction: 0.5 } as const;
  assert.equal(selectedOf(all, top), [1, 3, 4, 5]);
  assert.is(mostSelected(2, 8, top), 4);
  const positive = { ...OPTIONS, selection: 'positive' } as const;
  assert.equal(selectedOf(all, positive), [0, 1, 2, 3, 4, 5]);
  assert.equal(selectedOf(all, { ...positive, threshold: 4 }), [3, 4, 5]);
  const twice = candidates([[1, 3, 2, 9]], { 2: { content: '1' } });
  assert.equal(selectedOf(twice, positive), [0, 1, 3]);
});

test('mixedOnly: prompts that are all right or all wrong are left out', () => {
  const all = candidates([
    [1, 1],
    [0, 1],
    [0, 0],
  ]);
  const options = { ...OPTIONS, selection: 'positive', mixedOnly: true } as const;
  assert.equal(selectedOf(all, options), [3]);
});

const measured = (prompt: number, reward: number, text: string): Measured => ({
  prompt,
  reward,
  text,
  gold: { gold: -reward },
  ended: text !== 'cut',
  divergence: reward / 2,
  length: text.length,
});

test('figures of a round', () => {
  const answers = [
    measured(0, 1, 'a b a b'),
    measured(0, 3, 'cut'),
    measured(1, 2, 'x y'),
    measured(1, 2, 'z'),
  ];
  const figures = figuresOf(1, answers, [0, 2]);
  assert.is(figures.reward, 2);
  assert.is(figures.rewardBest, 2.5);
  assert.is(figures.rewardSelected, 1.5);
  assert.ok(Math.abs(figures.rewardStd - Math.SQRT2 / 2) < 1e-12);
  assert.equal(figures.gold, { gold: -2 });
  assert.is(figures.kl, 1);
  assert.is(figures.cut, 0.25);
  assert.is(figures.zeroStd, 0.5);
  // "a b", "b a", "a b" and "x y": three of four
  assert.is(figures.distinct2, 0.75);
  const table = roundTable([{ ...figures, heldOut: 4 }]).split('\n');
  assert.match(table[0]!, /^\| round \| reward \| best of K \| selected \| gold \| held out \| KL/);
  assert.match(table[2]!, /^\| 1 \| 2 \| 2\.5 \| 1\.5 \| -2 \| 4 \| 1 \|/);
  assert.match(roundChart([figures, { ...figures, round: 2 }]), /best of K<\/text>/);
});

test('alarms, and rounds without gain', () => {
  const round = (number: number, changes: Partial<RoundFigures>): RoundFigures => ({
    ...figuresOf(number, [measured(0, 1, 'a b c'), measured(0, 2, 'd e f')], [0]),
    ...changes,
  });
  assert.equal(alarmsOf([round(1, {})]), []);
  assert.match(alarmsOf([round(1, { distinct2: 1 }), round(2, { distinct2: 0.69 })])[0]!, /alike/);
  assert.match(alarmsOf([round(1, { cut: 0.51 })])[0]!, /51 % of the answers were cut/);
  assert.match(alarmsOf([round(1, { zeroStd: 0.9 })])[0]!, /one reward/);
  const rising = [1, 2, 3, 4].map((reward) => round(reward, { reward, gold: { gold: -reward } }));
  assert.match(alarmsOf(rising)[0]!, /gold falls/);
  assert.equal(alarmsOf(rising.slice(1)), []);
  assert.is(roundsWithoutGain(rising), 0);
  assert.is(roundsWithoutGain([round(1, { reward: 5 }), ...rising]), 4);
});

test('samples: the answer alone is trained; every one once a pass', () => {
  const sample = sampleOf({ ids: Int32Array.of(1, 2) }, [3, 4]);
  assert.equal([...sample.inputIds], [1, 2, 3, 4]);
  assert.equal([...sample.labels], [IGNORED, IGNORED, 3, 4]);
  const batching: Batching = {
    size: 2,
    accumulation: 2,
    epochs: 2,
    seed: 1,
    shuffled: true,
    packed: undefined,
  };
  const samples = Array.from({ length: 7 }, (_, id) => sampleOf({ ids: Int32Array.of(id) }, [9]));
  assert.is(stepsOf(7, batching), 4);
  for (const steps of [
    [0, 1],
    [2, 3],
  ]) {
    const seen = steps.flatMap((step) => microBatchesOf(samples, 1, step, batching));
    assert.equal(
      seen.map(({ length }) => length),
      [2, 2, 2, 1],
    );
    assert.equal(
      seen
        .flat()
        .map(({ inputIds }) => inputIds[0]!)
        .sort(),
      [0, 1, 2, 3, 4, 5, 6],
    );
  }
  const rows = packedOf(samples, { ...batching, packed: 6 });
  assert.is(rows.length, 3);
  assert.equal([...rows[0]!.segments!], [1, 1, 2, 2, 3, 3]);
});

test.run();
