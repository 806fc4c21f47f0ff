// Rewards together: weights, normalisation, clipping, gold ones, the hook, and rewards that go wrong.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { definePlugin, rewardFigures, type RewardFunction, type RewardSetting } from '@lmflow/sdk';
import { answersOf, errorOf, withRewards } from './kit.ts';

const characters: RewardFunction = ({ completions }) => completions.map(({ length }) => length);

async function scored(
  settings: readonly RewardSetting[],
  texts: readonly string[],
  setup: Parameters<typeof withRewards>[2] = {},
) {
  return withRewards(settings, (session) => session.score({ answers: answersOf(texts) }), setup);
}

test('totals are weighted sums of the rewards that apply', async () => {
  const noQuestion: RewardFunction = async ({ completions }) =>
    completions.map((text) => (text.endsWith('?') ? null : 1));
  const { totals, rewards } = await scored(
    [characters, { type: 'function', name: 'plain', function: noQuestion, weight: -2 }],
    ['a', 'bcd', 'e?'],
  );
  assert.equal(totals, [-1, 1, 2]);
  assert.equal(
    rewards.map(({ name }) => name),
    ['characters', 'plain'],
  );
  assert.equal(rewards[1]!.raw, [1, 1, null]);
});

test('an answer to which nothing applies has no total', async () => {
  const { totals } = await scored([() => [null, 3]], ['a', 'b']);
  assert.equal(totals, [null, 3]);
});

test('a gold reward is in the log and not in the total', async () => {
  const result = await scored(
    [characters, { type: 'function', name: 'truth', gold: true, function: () => [7, 9] }],
    ['a', 'bcd'],
  );
  assert.equal(result.totals, [1, 3]);
  const figures = rewardFigures(result);
  assert.is(figures['reward'], 2);
  assert.ok(Math.abs(figures['reward_std']! - Math.SQRT2) < 1e-12);
  assert.is(figures['rewards/truth/mean'], 8);
});

test('normalised, then clipped, then weighed; the sum is clipped last', async () => {
  const row = { type: 'function', function: characters, normalize: 'batch', weight: 2 } as const;
  const texts = ['a', 'bb', 'cccccc'];
  const std = Math.sqrt(7); // of 1, 2, 6: (4 + 1 + 9) / 2
  assert.equal(
    (await scored([row], texts)).totals,
    [-2, -1, 3].map((value) => (value / std) * 2),
  );
  const { totals, rewards } = await scored([{ ...row, clip: [-0.5, 0.6] }], texts, {
    config: { rewardClip: [-10, 1] },
  });
  assert.equal(rewards[0]!.values, [-0.5, -1 / std, 0.6]);
  assert.equal(totals, [-1, -2 / std, 1]);
  const fixed = await scored([{ ...row, normalize: { mean: 1, std: 5 }, weight: 1 }], texts);
  assert.equal(fixed.totals, [0, 0.2, 1]);
});

test('running means learn of training alone, and go on from a checkpoint', async () => {
  const row = { type: 'function', name: 'n', function: characters, normalize: 'running' } as const;
  const [first, second] = [answersOf(['a', 'bbb']), answersOf(['cccc', 'dddddddd'])];
  const kept = await withRewards([row], async (session) => {
    const alone = await session.score({ answers: first });
    assert.equal(alone.totals, [-1 / Math.SQRT2, 1 / Math.SQRT2]);
    const before = session.state();
    await session.score({ answers: second, purpose: 'evaluation' });
    assert.equal(session.state(), before);
    const both = await session.score({ answers: second });
    // 1, 3, 4, 8: mean 4, squares 26
    assert.ok(Math.abs(both.totals[1]! - 4 / Math.sqrt(26 / 3)) < 1e-12);
    return { before, after: session.state(), totals: both.totals };
  });
  await withRewards([row], async (session) => {
    session.restore(JSON.parse(JSON.stringify(kept.before)) as typeof kept.before);
    assert.equal((await session.score({ answers: second })).totals, kept.totals);
    assert.equal(session.state(), kept.after);
  });
  const other = await errorOf(() =>
    withRewards([characters], async (session) => session.restore(kept.before)),
  );
  assert.is(other.code, 'LMFLOW_REWARD_STATE');
});

test('a tap of onReward changes totals, and what it gives is checked', async () => {
  const tap = (value: number) =>
    definePlugin({
      name: 'lmflow-plugin-penalty',
      version: '1.0.0',
      sdk: '^1.0.0',
      requires: ['@lmflow/plugin-rewards'],
      apply({ hooks }) {
        hooks.onReward.tap((rewards, { answers, step = 0 }) => ({
          ...rewards,
          totals: rewards.totals.map((total, index) =>
            answers[index]!.ended === false ? value : (total ?? 0) + step,
          ),
        }));
      },
    })();
  const answers = [...answersOf(['a'], { ended: false }), ...answersOf(['bb'], { ended: true })];
  const score = (value: number) =>
    withRewards([characters], (session) => session.score({ answers, step: 10 }), {
      plugins: [tap(value)],
    });
  assert.equal((await score(-5)).totals, [-5, 12]);
  const { code, message } = await errorOf(() => score(NaN));
  assert.is(code, 'LMFLOW_REWARD_VALUE');
  assert.match(message, /"onReward" gave NaN for answer 1 \("a" to "Say something\."\)/);
});

test('a function sees prompts, tokens, ends, columns and the step', async () => {
  const messages = [{ role: 'user', content: 'Two?' }] as const;
  let seen: unknown;
  await withRewards(
    [
      function look({ prompts, completions, completionIds, ended, columns, step }) {
        seen = { prompts, completions, completionIds, ended, columns, step };
        return completions.map(() => 0);
      },
    ],
    (session) =>
      session.score({
        step: 3,
        answers: [
          { prompt: { prompt: 'One?' }, answer: 'yes', columns: { right: 1 } },
          { prompt: { messages }, answer: 'no', ids: Int32Array.of(4, 2), ended: true },
        ],
      }),
  );
  assert.equal(seen, {
    prompts: ['One?', messages],
    completions: ['yes', 'no'],
    completionIds: [undefined, Int32Array.of(4, 2)],
    ended: [undefined, true],
    columns: { right: [1, undefined] },
    step: 3,
  });
});

const texts = ['fine', 'good', 'bad', 'fine'];

test('a reward that throws: the error names it and the answer', async () => {
  const picky: RewardFunction = ({ completions }) =>
    completions.map((text) => {
      if (text === 'bad') throw new Error('cannot read "bad"');
      return 1;
    });
  for (const reward of [picky, async (input: Parameters<typeof picky>[0]) => picky(input)]) {
    const named = { type: 'function', name: 'picky', function: reward };
    const { code, message } = await errorOf(() => scored([named], texts));
    assert.is(code, 'LMFLOW_REWARD_FAILED');
    assert.match(message, /reward "picky" failed for answer 3 \("bad" to "Say .*cannot read "bad"/);
  }
  const down: RewardFunction = ({ completions }) => {
    if (completions.length === 4) throw new Error('once');
    return completions.map(() => 1);
  };
  const once = await errorOf(() => scored([down], texts));
  assert.match(once.message, /reward "down" failed for 4 answers, from answer 1 /);
});

test('NaN, other values and other numbers of them are errors', async () => {
  const cases: [() => unknown, string, RegExp][] = [
    [() => [1, NaN, 1, 1], 'LMFLOW_REWARD_VALUE', /gave NaN for answer 2 \("good" to/],
    [() => [1, 1, 1, Infinity], 'LMFLOW_REWARD_VALUE', /gave Infinity for answer 4/],
    [() => [1, 1, undefined, 1], 'LMFLOW_REWARD_VALUE', /gave undefined.* for answer 3/],
    [() => ['1', 1, 1, 1], 'LMFLOW_REWARD_VALUE', /gave string 1 for answer 1/],
    [() => [1, 1, 1], 'LMFLOW_REWARD_COUNT', /gave 3 values for 4 answers, from answer 1/],
    [() => 1, 'LMFLOW_REWARD_COUNT', /gave number in place of a list for 4 answers/],
  ];
  for (const [wrong, expected, pattern] of cases) {
    const row = { type: 'function', name: 'wrong', function: wrong as RewardFunction };
    const { code, message } = await errorOf(() => scored([characters, row], texts));
    assert.is(code, expected);
    assert.match(message, pattern);
    assert.match(message, /reward "wrong"/);
  }
});

test('a reward that never settles ends in its time, and hears it', async () => {
  let heard = false;
  const row: RewardSetting = {
    type: 'function',
    name: 'sleepy',
    timeout: 0.05,
    function: ({ signal }: { signal: AbortSignal }) =>
      new Promise(() => signal.addEventListener('abort', () => (heard = true))),
  };
  const { code, message } = await errorOf(() => scored([row], texts));
  assert.is(code, 'LMFLOW_REWARD_TIMEOUT');
  assert.match(message, /"sleepy" has not settled within 0\.05 s for 4 answers, from answer 1/);
  assert.ok(heard);
});

test('a call that fails changes nothing, and may be made again', async () => {
  let broken = true;
  const fragile: RewardFunction = ({ completions }) => {
    if (broken) throw new Error('not yet');
    return completions.map(() => 1);
  };
  const running = { type: 'function', function: characters, normalize: 'running' } as const;
  await withRewards([running, fragile], async (session) => {
    const before = session.state();
    await errorOf(() => session.score({ answers: answersOf(texts) }));
    assert.equal(session.state(), before);
    broken = false;
    assert.is((await session.score({ answers: answersOf(texts) })).totals.length, 4);
  });
});

test('an aborted run stops waiting', async () => {
  const controller = new AbortController();
  const error = await errorOf(() =>
    withRewards([() => new Promise(() => setTimeout(() => controller.abort(), 5))], (session) =>
      session.score({ answers: answersOf(texts), signal: controller.signal }),
    ),
  );
  assert.is(error.name, 'AbortError');
});

test('settings without sense or effect are refused', async () => {
  const row = { type: 'function', function: characters };
  const cases: [readonly RewardSetting[], string, RegExp][] = [
    [[], 'LMFLOW_REWARDS_MISSING', /names no rewards/],
    [[{ ...row, gold: true }], 'LMFLOW_REWARDS_MISSING', /to train on/],
    [[{ ...row, gold: true, weight: 2 }, row], 'LMFLOW_REWARD_INVALID', /weight has no effect/],
    [[{ ...row, gold: true, clip: [0, 1] }, row], 'LMFLOW_REWARD_INVALID', /clip has no effect/],
    [[{ ...row, weight: 0 }], 'LMFLOW_REWARD_INVALID', /weight 0 has no effect/],
    [[characters, row], 'LMFLOW_REWARD_INVALID', /two rewards have this name/],
    [[{ ...row, wieght: 2 }], 'LMFLOW_REWARD_INVALID', /wieght/],
    [[{ ...row, clip: [1, 0] }], 'LMFLOW_REWARD_INVALID', /clip/],
    [['functoin'], 'LMFLOW_REWARD_UNKNOWN', /no reward "functoin"/],
  ];
  for (const [settings, expected, pattern] of cases) {
    const { code, message } = await errorOf(() => scored(settings, ['a']));
    assert.is(code, expected);
    assert.match(message, pattern);
  }
});

test('the fingerprint follows rewards and options, not their time', async () => {
  const row = { type: 'function', function: characters };
  const of = (setting: RewardSetting) =>
    withRewards([setting], async ({ fingerprint }) => fingerprint);
  const plain = await of(row);
  assert.is(await of({ ...row, timeout: 3 }), plain);
  assert.is.not(await of({ ...row, weight: 3 }), plain);
  assert.is.not(await of({ ...row, function: () => [1] }), plain);
});

test.run();
