// BLEU, chrF and ROUGE against sacrebleu and rouge-score, stems against NLTK's
// (reference/text_metrics.py), and the checks of answers.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isRightAnswer } from '@lmflow/sdk';
import { answerChecks } from '../src/answer-checks.ts';
import { textMetric } from '../src/generate-task.ts';
import { taskFigure, taskValue } from '../src/metrics.ts';
import { bleuCounts, bleuOf } from '../src/text/bleu.ts';
import { chrfCounts, chrfOf } from '../src/text/chrf.ts';
import { porterStem } from '../src/text/porter-stemmer.ts';
import { rouge, type RougeType } from '../src/text/rouge.ts';
import { textFigure } from '../src/text-figures.ts';
import { fixture } from './runs.ts';

const reference = fixture<{
  readonly pairs: readonly {
    readonly answer: string;
    readonly references: readonly string[];
    readonly scores: Readonly<Record<string, number>>;
  }[];
  readonly corpus: Readonly<Record<string, { readonly value: number; readonly stderr: number }>>;
  readonly stems: Readonly<Record<string, string>>;
}>('text-metrics.json');

const near = (found: number, expected: number, what: string): void => {
  assert.ok(Math.abs(found - expected) < 1e-9, `${what}: ${found}, expected ${expected}`);
};

test('one text: BLEU and chrF of sacrebleu, ROUGE of rouge-score', () => {
  for (const { answer, references, scores } of reference.pairs) {
    const [first] = references as [string];
    const found: Record<string, number> = {
      bleu: bleuOf(bleuCounts(answer, references)),
      bleu_intl: bleuOf(bleuCounts(answer, references, 'intl')),
      chrf: chrfOf(chrfCounts(answer, references)),
      'chrf++': chrfOf(chrfCounts(answer, references, { wordOrder: 2 })),
    };
    for (const type of ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] satisfies RougeType[]) {
      found[type] = rouge(type, first, answer);
      found[`${type}_stemmed`] = rouge(type, first, answer, { stemmer: true });
    }
    assert.equal(Object.keys(found).sort(), Object.keys(scores).sort());
    for (const [name, value] of Object.entries(scores)) {
      near(found[name]!, value, `${name} of ${JSON.stringify(answer)}`);
    }
  }
});

test('a corpus: scores of sacrebleu, standard errors of the harness', () => {
  const texts = reference.pairs.map(({ answer, references }): [string, string] => [
    references[0]!,
    answer,
  ]);
  for (const [metric, { value, stderr }] of Object.entries(reference.corpus)) {
    const found = taskFigure(`${metric},first`, texts);
    near(found.value, value, metric);
    near(found.stderr!, stderr, `standard error of ${metric}`);
    assert.is(taskValue(metric, texts), found.value);
    assert.is(taskFigure(metric, texts.slice(0, 1)).stderr, undefined);
  }
});

test("NLTK's stems", () => {
  for (const [word, stem] of Object.entries(reference.stems)) {
    assert.is(porterStem(word), stem, word);
  }
});

const right = (name: string, text: string, answer: string | readonly string[]): boolean =>
  isRightAnswer(
    answerChecks.find((check) => check.name === name)!,
    text,
    answer,
  );

test('numbers', () => {
  const number = (text: string, answer: string): boolean => right('number', text, answer);
  assert.ok(number('So 3+4 makes 7.', '7'));
  assert.ok(number('It is $1,200.00!', 'She pays.\n#### 1,200'));
  assert.ok(number('#### -3.50 (not 4)', '-3.5') === false, 'the last one of the marked line');
  assert.ok(number('#### -3.50\n', '-3.5'));
  assert.ok(number('First 5, then 9\n#### 5\n', '5'));
  assert.not(number('seven', '7'));
  assert.not(number('It is 8.', '7'));
  assert.not(number('It is 8.', 'none'));
});

test('letters, decisions, texts, patterns', () => {
  const letters: readonly (readonly [text: string, letter: string | undefined])[] = [
    ['B', 'B'],
    ['(c) no, (C)', 'C'],
    [' A. Paris', 'A'],
    ['The answer is (D), not B', 'D'],
    ['Answer: **E**', 'E'],
    ['A dog may be B or C', 'C'],
    ['I think that A is right', undefined],
    ['I would say C.', 'C'],
    ['none of these', undefined],
  ];
  const check = answerChecks.find(({ name }) => name === 'letter')!;
  for (const [text, letter] of letters) assert.is(check.extract(text), letter, text);
  assert.ok(right('letter', 'It is B', 'b'));
  assert.ok(right('letter', 'B', 'B) because of it'));
  assert.not(right('letter', 'nothing', 'A'));

  assert.ok(right('yes-no-maybe', 'Yes, and no doubt.', 'yes'));
  assert.ok(right('yes-no-maybe', 'No doubt: the answer is maybe.', 'maybe') === false);
  assert.ok(right('yes-no-maybe', 'Well, the answer is: Maybe. Or no.', 'maybe'));
  assert.ok(right('yes-no-maybe', 'I say yes. Then no', 'no'));
  assert.not(right('yes-no-maybe', 'Nobody knows', 'no'));

  assert.ok(right('text', '  The Eiffel-Tower! ', 'eiffeltower'));
  assert.ok(right('text', 'a  cat', ['dog', 'The Cat.']));
  assert.not(right('text', 'theory', 'ory'));
  assert.ok(right('exact', ' Paris\n', 'Paris'));
  assert.not(right('exact', 'paris', 'Paris'));
  assert.ok(right('regex', 'born in 1987', '(?i)BORN in \\d{4}$'));
  assert.not(right('regex', 'born', '^or'));
});

test('figures of tasks: a check, the closest of several texts', () => {
  const checks = {
    get: (name: string) => answerChecks.find((check) => check.name === name),
    names: () => [],
  };
  const figure = (metric: object, response: unknown, targets: string[]): unknown =>
    textFigure(textMetric.parse(metric), response, { targets, checks });
  assert.is(figure({ metric: 'acc', check: 'number' }, 'so 4', ['#### 4']), 1);
  assert.is(figure({ metric: 'acc', check: 'letter' }, ['(A)', '(B)'], ['B']), 1);
  assert.is(figure({ metric: 'acc', check: 'letter' }, '(A)', ['B']), 0);
  assert.equal(figure({ metric: 'bleu' }, 'a b', ['a']), ['a', 'a b']);
  assert.equal(figure({ metric: 'chrf' }, 'a b', ['a', 'b']), [['a', 'b'], 'a b']);
  assert.is(figure({ metric: 'rouge1' }, 'the dogs', ['a cat', 'the dog']), 0.5);
  assert.is(figure({ metric: 'rougeL', stemmer: true }, 'the dogs', ['the dog']), 1);
});

test.run();
