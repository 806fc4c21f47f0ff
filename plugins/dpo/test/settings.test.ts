// What the section `dpo` comes to: mixtures, and errors for whatever would have no effect.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { z } from 'zod';
import type { Dataset, DatasetRecord } from '@lmflow/sdk';
import { firstLossOff, lossAtStart } from '../src/first-step.ts';
import { dpoOptions } from '../src/options.ts';
import type { PAIRINGS } from '../src/scored-pairs.ts';
import { beginsWithScores, chosenTwo, pairedDataset } from '../src/scored-pairs.ts';
import { lossSettings, type LossSettings } from '../src/settings.ts';

const settings = (given: z.input<typeof dpoOptions>): LossSettings =>
  lossSettings(dpoOptions.parse(given));

function codeOf(given: z.input<typeof dpoOptions>): string {
  try {
    settings(given);
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
  return 'no error';
}

test('losses with their weights; rpoAlpha is sft', () => {
  const { losses, sft, numbers } = settings({
    lossType: ['sigmoid', 'bco_pair', 'sft'],
    lossWeights: [0.8, 0.2, 1],
  });
  assert.equal(
    losses.map(({ name, weight }) => [name, weight]),
    [
      ['sigmoid', 0.8],
      ['bco_pair', 0.2],
    ],
  );
  assert.is(sft, 1);
  assert.is(numbers.beta, 0.1);
  assert.is(settings({ rpoAlpha: 0.3 }).sft, 0.3);
  assert.is(settings({ lossType: 'robust', labelSmoothing: 0.2 }).numbers.labelSmoothing, 0.2);
});

const refused: readonly (readonly [z.input<typeof dpoOptions>, RegExp])[] = [
  [{ lossType: 'hinge', labelSmoothing: 0.1 }, /NO_EFFECT: dpo\.labelSmoothing .* hinge/],
  [{ discopopTau: 0.1 }, /NO_EFFECT: dpo\.discopopTau/],
  [{ simpoGamma: 1 }, /NO_EFFECT: dpo\.simpoGamma/],
  [{ fAlphaDivergenceCoef: 0.3 }, /NO_EFFECT: dpo\.fAlphaDivergenceCoef/],
  [{ lossType: 'bco_pair', fDivergenceType: 'forward_kl' }, /NO_EFFECT: dpo\.fDivergenceType/],
  [{ lossType: 'simpo', referenceFree: true }, /NO_EFFECT: dpo\.referenceFree/],
  [{ lossType: 'orpo', precomputeRefLogProbs: true }, /NO_EFFECT: dpo\.precomputeRefLogProbs/],
  [{ marginScale: 2 }, /NO_EFFECT: dpo\.marginScale/],
  [{ lossType: ['sigmoid', 'ipo'], lossWeights: [1] }, /DPO_LOSSES: .* has 1 numbers/],
  [{ lossType: ['ipo', 'ipo'] }, /DPO_LOSSES: .* ipo twice/],
  [{ lossType: ['ipo', 'sft'], rpoAlpha: 1 }, /DPO_LOSSES: .* sft twice/],
  [{ lossType: 'sft' }, /DPO_LOSSES: .* compares no answers/],
  [{ lossType: 'exo_pair' }, /DPO_LOSSES: .* labelSmoothing above 0/],
];

for (const [given, message] of refused) {
  test(`${JSON.stringify(given)} is refused`, () => {
    assert.match(codeOf(given), message);
  });
}

test('the first loss is known where policy and reference agree', () => {
  const start = (given: z.input<typeof dpoOptions>): number | undefined =>
    lossAtStart(settings(given));
  assert.ok(Math.abs(start({})! - Math.LN2) < 1e-7);
  assert.ok(Math.abs(start({ fDivergenceType: 'js_divergence' })! - Math.LN2) < 1e-7);
  assert.ok(Math.abs(start({ lossType: 'ipo', beta: 0.2 })! - 6.25) < 1e-5);
  assert.ok(Math.abs(start({ lossType: ['apo_zero', 'hinge'], lossWeights: [1, 2] })! - 3) < 1e-7);
  assert.is(start({ lossType: 'simpo' }), undefined);
  assert.is(start({ rpoAlpha: 1 }), undefined);
  assert.is(firstLossOff(0.69315, Math.LN2), undefined);
  assert.match(firstLossOff(0.72, Math.LN2)!, /0\.72000 instead of 0\.69315/);
});

test('two answers of a list: which ones, the better first', () => {
  const scores = [3, 9, 1, 7, 7];
  const of = (method: (typeof PAIRINGS)[number], index = 0): readonly [number, number] =>
    chosenTwo(scores, { method, seed: 4 }, index);
  assert.equal(of('max_min'), [1, 2]);
  assert.equal(of('max_max'), [1, 3]);
  const drawn = { max_random: new Set<number>(), random: new Set<string>() };
  for (let index = 0; index < 200; index++) {
    const [best, other] = of('max_random', index);
    assert.is(best, 1);
    drawn.max_random.add(other);
    const [one, two] = of('random', index);
    assert.ok(one !== two && scores[one]! >= scores[two]!);
    drawn.random.add([one, two].toSorted((a, b) => a - b).join());
    assert.equal(of('random', index), [one, two], 'a draw can be made again');
  }
  assert.equal([...drawn.max_random].toSorted(), [0, 2, 3, 4]);
  assert.is(drawn.random.size, 10);
});

const list: DatasetRecord = {
  kind: 'preference',
  prompt: 'Q',
  chosen: 'long answer',
  rejected: 'no',
  scored: [
    { text: 'no', score: 1 },
    { text: 'long answer', score: 2 },
    { text: 'short', score: 1.6 },
  ],
  origin: { source: 'lists.json', index: 0 } as unknown as DatasetRecord['origin'],
};

function datasetOf(...records: DatasetRecord[]): Dataset {
  return {
    name: 'lists',
    kind: 'preference',
    fingerprint: 'f',

    async *records() {
      yield* records;
    },
  };
}

test('a penalty for length decides the pair, the scores themselves the margin', async () => {
  const sampling = { method: 'max_min', lengthPenalty: 0.1, marginScale: 2, seed: 1 } as const;
  const dataset = datasetOf(list);
  assert.ok(await beginsWithScores(dataset));
  const paired = pairedDataset(dataset, sampling);
  assert.is.not(paired.fingerprint, 'f');
  const records: DatasetRecord[] = [];
  for await (const record of paired.records()) records.push(record);
  const [{ chosen, rejected, margin, scored }] = records as [
    Extract<DatasetRecord, { kind: 'preference' }>,
  ];
  // 0.8, 0.9, 1.1
  assert.equal([chosen, rejected], ['short', 'no']);
  assert.ok(Math.abs(margin! - 1.2) < 1e-12);
  assert.is(scored!.length, 2);
});

test.run();
