// Every loss against numbers that were computed by its formula in float64 (reference/make.py), and its
// gradient against finite differences.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Graph, interpret, ndarray, sum, type Value } from '@lmflow/sdk/graph';
import { checkGradient } from '@lmflow/sdk/testing';
import { pairLoss, PAIR_LOSSES, type PairLossName } from '../src/losses.ts';
import { termsOf, type LossNumbers, type Terms } from '../src/terms.ts';

interface Case {
  readonly loss: PairLossName;
  readonly numbers: Partial<LossNumbers>;
  readonly value: number;
}

interface Reference {
  readonly inputs: Readonly<Record<string, number>>;
  readonly cases: readonly Case[];
}

const { inputs, cases } = JSON.parse(
  readFileSync(new URL('reference/losses.json', import.meta.url), 'utf8'),
) as Reference;

const DEFAULTS: LossNumbers = {
  beta: 0.1,
  labelSmoothing: 0,
  fDivergenceType: 'reverse_kl',
  fAlphaDivergenceCoef: 0.5,
  discopopTau: 0.05,
  simpoGamma: 0.5,
};

function terms(values: Readonly<Record<string, Value>>, numbers: Partial<LossNumbers>): Terms {
  const { chosen, rejected, refChosen, refRejected, chosenLength, rejectedLength, margin } = values;
  return termsOf(
    {
      chosen: { logProb: chosen!, reference: refChosen, length: chosenLength! },
      rejected: { logProb: rejected!, reference: refRejected, length: rejectedLength! },
    },
    { ...DEFAULTS, ...numbers },
    margin,
  );
}

function valueOf(
  loss: PairLossName,
  numbers: Partial<LossNumbers>,
  given: Readonly<Record<string, number>> = inputs,
): number {
  const graph = new Graph();
  const values = Object.fromEntries(
    Object.keys(given).map((name) => [name, graph.input(name, 'float32', [1])]),
  );
  graph.output('loss', pairLoss(loss)!.build(terms(values, numbers)));
  const fed = Object.entries(given).map(([name, value]) => [name, ndarray([1], [value])] as const);
  return interpret(graph, Object.fromEntries(fed))['loss']!.data[0]!;
}

test('every loss has a number of its formula', () => {
  const named = new Set(cases.map(({ loss }) => loss));
  assert.equal(
    Object.keys(PAIR_LOSSES).filter((name) => !named.has(name as PairLossName)),
    [],
  );
});

for (const { loss, numbers, value } of cases) {
  const what = `${loss} ${JSON.stringify(numbers)}`;
  test(`${what}: the number of the formula`, () => {
    const found = valueOf(loss, numbers);
    // constants have float32 precision
    assert.ok(Math.abs(found - value) < 2e-6 * Math.max(1, value), `${found}, not ${value}`);
  });

  test(`${what}: its gradient`, () => {
    const around = (value: number): { shape: number[]; values: number[] } => ({
      shape: [2],
      values: [value, 0.9 * value],
    });
    checkGradient(
      (values) => sum(pairLoss(loss)!.build(terms(values, numbers))),
      Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, around(value)])),
    );
  });
}

test('losses stay finite where the answers are far apart', () => {
  for (const gap of [2000, -2000]) {
    const far = { ...inputs, chosen: -3000 + gap, rejected: -3000, refChosen: -3000 };
    for (const loss of ['sigmoid', 'robust', 'nca_pair', 'bco_pair', 'sigmoid_norm'] as const) {
      const found = valueOf(loss, { labelSmoothing: loss === 'robust' ? 0.1 : 0 }, far);
      assert.ok(Number.isFinite(found), `${loss} at ${gap}: ${found}`);
    }
  }
});

test.run();
