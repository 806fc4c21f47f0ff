// Every loss against numbers that were computed token by token in float64 (reference/make.py), its
// gradient against finite differences, and its figures.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Graph, gather, interpret, ndarray, scatterAdd, type Value } from '@lmflow/sdk/graph';
import { checkGradient } from '@lmflow/sdk/testing';
import { answerLoss, LOSS_NAMES, type LossNumbers, type Terms } from '../src/losses.ts';

interface Reference {
  readonly new: readonly (readonly number[])[];
  readonly old: readonly (readonly number[])[];
  readonly reference: readonly (readonly number[])[];
  readonly advantages: readonly number[];
  readonly maxCompletionLength: number;
  readonly cases: readonly { readonly numbers: Partial<LossNumbers>; readonly value: number }[];
}

const given = JSON.parse(
  readFileSync(new URL('reference/losses.json', import.meta.url), 'utf8'),
) as Reference;

const lengths = given.new.map(({ length }) => length);
const tokens = lengths.reduce((sum, length) => sum + length, 0);
const answerOf = Int32Array.from(
  lengths.flatMap((length, answer) => Array<number>(length).fill(answer)),
);
const flat = (rows: readonly (readonly number[])[]): number[] => rows.flat();
const inputs: Readonly<Record<string, readonly number[]>> = {
  logProbs: flat(given.new),
  old: flat(given.old),
  reference: flat(given.reference),
  advantages: given.advantages,
};

function numbersOf(changes: Partial<LossNumbers>): LossNumbers {
  const epsilon = changes.epsilon ?? 0.2;
  return {
    lossType: 'dapo',
    importanceSamplingLevel: 'token',
    epsilonHigh: epsilon,
    delta: undefined,
    beta: 0,
    useBiasCorrectionKl: true,
    maxCompletionLength: given.maxCompletionLength,
    ...changes,
    epsilon,
  };
}

/** Terms of the answers laid one after another. */
function termsOf(
  { logProbs, old, reference, advantages }: Readonly<Record<string, Value>>,
  answered: readonly number[] = Array<number>(tokens).fill(1),
): Terms {
  const { graph } = logProbs!;
  const places = graph.constant(answerOf, [tokens], 'int32');
  return {
    logProbs: logProbs!,
    old,
    reference,
    advantages: advantages!,
    answered: graph.constant(Float32Array.from(answered), [tokens], 'float32'),
    sums: (values) => scatterAdd(places, values, lengths.length),
    spread: (values) => gather(values, places),
  };
}

interface Computed {
  readonly loss: number;
  readonly figures: Readonly<Record<string, number>>;
}

function computed(
  changes: Partial<LossNumbers>,
  { answered, without = [] }: { answered?: readonly number[]; without?: readonly string[] } = {},
): Computed {
  const graph = new Graph();
  const fed = Object.entries(inputs).filter(([name]) => !without.includes(name));
  const values = Object.fromEntries(
    fed.map(([name, numbers]) => [name, graph.input(name, 'float32', [numbers.length])]),
  );
  const { loss, figures } = answerLoss(termsOf(values, answered), numbersOf(changes));
  graph.output('loss', loss);
  for (const [name, { sum, weight }] of Object.entries(figures)) {
    graph.output(`sum ${name}`, sum);
    graph.output(`weight ${name}`, weight);
  }
  const results = interpret(
    graph,
    Object.fromEntries(
      fed.map(([name, numbers]) => [name, ndarray([numbers.length], [...numbers])]),
    ),
  );
  const number = (name: string): number => results[name]!.data[0]!;
  return {
    loss: number('loss'),
    figures: Object.fromEntries(
      Object.keys(figures).map((name) => [name, number(`sum ${name}`) / number(`weight ${name}`)]),
    ),
  };
}

function near(found: number, expected: number, bound = 1e-6): void {
  assert.ok(Math.abs(found - expected) < bound, `${found}, not ${expected}`);
}

for (const { numbers, value } of given.cases) {
  test(`${JSON.stringify(numbers)}: the number of the formula, and its gradient`, () => {
    const without = numbers.beta === undefined ? ['reference'] : [];
    near(computed(numbers, { without }).loss, value);
    if (numbers.lossType === 'cispo') return; // its weights have no gradient, differences see them
    checkGradient((values) => answerLoss(termsOf(values), numbersOf(numbers)).loss, {
      logProbs: { shape: [tokens], values: inputs['logProbs']! },
      ...Object.fromEntries(
        (['old', 'reference', 'advantages'] as const)
          .filter((name) => !without.includes(name))
          .map((name) => [name, { shape: [inputs[name]!.length], values: inputs[name]! }]),
      ),
    });
  });
}

test('by the present policy the ratios are 1, and the loss is minus the advantages', () => {
  for (const lossType of LOSS_NAMES) {
    if (lossType === 'cispo') continue;
    const { loss, figures } = computed({ lossType }, { without: ['old', 'reference'] });
    const counts = { dapo: lengths, bnpo: lengths, dr_grpo: lengths.map((n) => n / 6) };
    const count = counts[lossType as 'dapo'] ?? lengths.map(() => 1);
    const expected = given.advantages.reduce((sum, gain, index) => sum - gain * count[index]!, 0);
    near(loss, expected);
    assert.is(figures['clip_ratio/region_mean'], 0);
  }
});

test('tokens outside of answers count nowhere, whatever stands there', () => {
  const answered = Array.from(answerOf, (answer) => Number(answer !== 1));
  for (const lossType of ['dapo', 'grpo', 'dr_grpo'] as const) {
    const all = computed({ lossType, beta: 0.1 }).loss;
    const rest = computed({ lossType, beta: 0.1 }, { answered }).loss;
    const alone = computed(
      { lossType, beta: 0.1 },
      { answered: Array.from(answerOf, (answer) => Number(answer === 1)) },
    ).loss;
    near(rest + alone, all);
  }
});

test('figures: shares of clipped tokens, the divergence', () => {
  const { figures } = computed({ beta: 0.04, useBiasCorrectionKl: false });
  // e^0.3 and e^0.5 are above 1.2, e^-0.3 below 0.8; only some of them with an advantage that clips
  near(figures['clip_ratio/high_mean']!, 1 / tokens);
  near(figures['clip_ratio/low_mean']!, 1 / tokens);
  near(figures['clip_ratio/region_mean']!, 2 / tokens);
  const u = inputs['reference']!.map((value, place) => value - inputs['logProbs']![place]!);
  near(figures['kl']!, u.reduce((sum, one) => sum + Math.exp(one) - one - 1, 0) / tokens);
});

test('a ratio that would overflow gives a number', () => {
  const graph = new Graph();
  const input = (name: string, size: number): Value => graph.input(name, 'float32', [size]);
  const values = {
    logProbs: input('logProbs', tokens),
    old: input('old', tokens),
    advantages: input('advantages', lengths.length),
  };
  graph.output('loss', answerLoss(termsOf(values), numbersOf({ lossType: 'rloo' })).loss);
  const results = interpret(graph, {
    logProbs: ndarray([tokens], Array<number>(tokens).fill(0)),
    old: ndarray([tokens], Array<number>(tokens).fill(-900)),
    advantages: ndarray([3], [1, 1, 1]),
  });
  near(results['loss']!.data[0]!, -3 * 1.2);
});

test.run();
