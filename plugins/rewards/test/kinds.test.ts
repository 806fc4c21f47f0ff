// The rewards that the plugin brings, each against values by hand.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { AnswerToReward, RewardSetting } from '@lmflow/sdk';
import evaluate from '@lmflow/plugin-evaluate';
import chatTemplates from '@lmflow/plugin-chat-templates';
import datasets from '@lmflow/plugin-datasets';
import { answersOf, errorOf, withRewards } from './kit.ts';

const checks = { plugins: [evaluate, datasets, chatTemplates] };

async function values(setting: RewardSetting, answers: readonly AnswerToReward[]) {
  const { rewards } = await withRewards([setting], (open) => open.score({ answers }), checks);
  return rewards[0]!.raw;
}

const withRight = (pairs: readonly (readonly [string, unknown])[]): AnswerToReward[] =>
  pairs.map(([answer, right]) => ({
    prompt: { prompt: 'What?' },
    answer,
    columns: { answer: right },
  }));

test('answers by a check: exact, as a number, in a box, in a tag, one of several', async () => {
  const numbers = withRight([
    ['so 3 + 4 = 7', '#### 7'],
    ['it is 1,000.', 1000],
    ['8', 7],
    ['none', 7],
  ]);
  assert.equal(await values('number', numbers), [1, 1, 0, 0]);
  assert.equal(await values({ type: 'answer', check: 'number' }, numbers), [1, 1, 0, 0]);
  const texts = withRight([
    [' Paris ', 'Paris'],
    ['It is Paris', 'Paris'],
    ['Rome', ['Paris', 'Rome']],
  ]);
  assert.equal(await values('exactMatch', texts), [1, 0, 1]);
  const boxed = withRight([
    ['\\boxed{1} no, \\boxed{\\frac{1}{2}}.', '\\frac{1}{2}'],
    ['\\frac{1}{2}', '\\frac{1}{2}'],
    ['\\boxed{\\frac{1}{2}', '\\frac{1}{2}'],
  ]);
  assert.equal(await values({ type: 'exactMatch', boxed: true }, boxed), [1, 0, 0]);
  const tagged = withRight([
    ['<answer>4</answer> or <answer> 5 </answer>', 5],
    ['5', 5],
    ['5</answer>', 5],
  ]);
  assert.equal(await values({ type: 'exactMatch', tag: 'answer' }, tagged), [1, 0, 0]);
});

test('a record without its answer is an error, or skipped where that is asked for', async () => {
  const answers = withRight([
    ['5', 5],
    ['5', undefined],
  ]);
  const { code, message } = await errorOf(() => values('number', answers));
  assert.is(code, 'LMFLOW_REWARD_NEEDS');
  assert.match(message, /"number" needs a column "answer" .*answer 2 \("5" to "What\?"\)/);
  assert.equal(await values({ type: 'number', optional: true }, answers), [1, null]);
  assert.is(
    (await errorOf(() => values({ type: 'answer', check: 'nmber' }, answers))).code,
    'LMFLOW_REWARD_CHECK',
  );
  const both = { type: 'number', boxed: true, tag: 'a' };
  assert.is((await errorOf(() => values(both, answers))).code, 'LMFLOW_REWARD_INVALID');
});

test('regex and contains', async () => {
  const answers = answersOf(['Yes, 12', 'no', 'YES']);
  assert.equal(await values({ type: 'regex', pattern: '\\d+' }, answers), [1, 0, 0]);
  assert.equal(await values({ type: 'regex', pattern: '^yes', flags: 'i' }, answers), [1, 0, 1]);
  const invalid = await errorOf(() => values({ type: 'regex', pattern: '(' }, answers));
  assert.is(invalid.code, 'LMFLOW_REWARD_INVALID');
  assert.equal(await values({ type: 'contains', texts: ['Yes', 'no'] }, answers), [1, 1, 0]);
  const either = { type: 'contains', texts: ['yes'], ignoreCase: true };
  assert.equal(await values(either, answers), [1, 0, 1]);
});

test('format: tags in order, each once, at the beginning', async () => {
  const one = answersOf([
    '<think>a\nb</think>c',
    '<think></think>',
    'x <think>a</think>',
    '<think>a<think>b</think>',
    '<think>a',
    '<think>a</think><think>b</think>',
  ]);
  assert.equal(await values('format', one), [1, 1, 0, 0, 0, 0]);
  const two = answersOf([
    '<think>a</think>\n<answer>b</answer>',
    '<think>a</think> so <answer>b</answer>',
    '<answer>b</answer><think>a</think>',
  ]);
  assert.equal(await values({ type: 'format', tags: ['think', 'answer'] }, two), [1, 0, 0]);
});

test('length: around a target or in parts, in words, characters or tokens', async () => {
  const answers = answersOf(['one two', 'one two three four five six'], {
    ids: Int32Array.of(1, 2, 3),
  });
  assert.equal(await values({ type: 'length', target: 4 }, answers), [-0.5, -0.5]);
  assert.equal(await values({ type: 'length', per: 2 }, answers), [1, 3]);
  assert.equal(await values({ type: 'length', per: 1, unit: 'tokens' }, answers), [3, 3]);
  const emoji = answersOf(['a\u{1F600}']);
  assert.equal(await values({ type: 'length', per: 1, unit: 'characters' }, emoji), [2]);
  const neither = await errorOf(() => values({ type: 'length' }, answers));
  assert.match(neither.message, /"length": needs target or per/);
  const lacking = await errorOf(() =>
    values({ type: 'length', per: 1, unit: 'tokens' }, answersOf(['a'])),
  );
  assert.is(lacking.code, 'LMFLOW_REWARD_NEEDS');
});

test('overlong falls from 0 to -1 over the buffer, and stays there', async () => {
  const answers = [4, 6, 7, 9, 10, 11].map((tokens) => ({
    ...answersOf(['x'])[0]!,
    ids: new Int32Array(tokens),
  }));
  const found = await values({ type: 'overlong', maxLength: 10, buffer: 4 }, answers);
  assert.equal(found, [0, 0, -0.25, -0.75, -1, -1]);
});

test('ends needs to know it; repetition counts n-grams that came before', async () => {
  const answers = [...answersOf(['a'], { ended: true }), ...answersOf(['b'], { ended: false })];
  assert.equal(await values('ends', answers), [1, 0]);
  const unknown = await errorOf(() => values('ends', [answers[0]!, ...answersOf(['c'])]));
  assert.match(unknown.message, /"ends" needs to know .* answer 2 \("c"/);
  // a b a | b a b | a b A: one of three trigrams came before
  const texts = answersOf(['a b a b A', 'a b c d e', 'a b']);
  assert.equal(await values('repetition', texts), [-1 / 3, 0, 0]);
  assert.equal(await values({ type: 'repetition', ngram: 1 }, texts), [-3 / 5, 0, 0]);
});

test.run();
