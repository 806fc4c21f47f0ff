// Scores against transformers' logits and losses; the same whatever stands beside a row.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { randomStream, type Continuation, type ScoreRow } from '@lmflow/sdk';
import { wrap } from '@lmflow/sdk/model';
import { familyFolder, reference, withScorer } from './models.ts';

const FAMILIES = ['llama', 'llama-dynamic', 'llama-yarn', 'mistral', 'qwen2', 'qwen3', 'gpt2'];

/** log-softmax of a row of 96 numbers. */
function logSoftmax(logits: Float32Array): Float64Array {
  const numbers = Float64Array.from(logits);
  const sum = numbers.reduce((total, number) => total + Math.exp(number), 0);
  return numbers.map((number) => number - Math.log(sum));
}

/** Rows of 3 to 32 tokens; some are equal. */
function drawnRows(count: number): Int32Array[] {
  const random = randomStream(7, 'rows');
  let drawn = 0;
  const below = (bound: number): number => Math.floor(random.uniform(drawn++) * bound);
  const rows = Array.from({ length: count }, () =>
    Int32Array.from({ length: 3 + below(30) }, () => below(96)),
  );
  return [...rows, rows[0]!, rows[1]!.slice(0, -1)];
}

for (const family of FAMILIES) {
  test(`${family}: transformers' logits`, async () => {
    const { rows, logits } = await reference(family);
    await withScorer(familyFolder(family), async (scorer, model) => {
      const found = await scorer.open(model).logits(rows[0]!);
      assert.is(found.length, 24 * 96);
      const largest = found.reduce((most, one, index) => {
        return Math.max(most, Math.abs(one - logits[index]!));
      }, 0);
      assert.ok(largest < 2e-5, `apart by ${largest}`);
    });
  });
}

test('at a temperature, the logits divided by it', async () => {
  const { rows } = await reference('llama');
  await withScorer(familyFolder('llama'), async (scorer, model) => {
    const session = scorer.open(model);
    const ids = rows[0]!;
    const logits = await session.logits(ids);
    const [scores] = await session.score([{ ids }], { temperature: 0.7 });
    scores!.logprobs.forEach((logprob, place) => {
      const row = logits.subarray(place * 96, (place + 1) * 96);
      const expected = logSoftmax(row.map((logit) => logit / 0.7))[ids[place + 1]!]!;
      assert.ok(Math.abs(logprob - expected) < 1e-5, `${place}: ${logprob}`);
    });
  });
});

// not of llama-dynamic: its angles follow the padded length in the reference
for (const family of ['llama', 'mistral', 'gpt2']) {
  test(`${family}: transformers' log-probabilities, argmaxes and loss`, async () => {
    const { rows, labels, logits, loss } = await reference(family);
    await withScorer(familyFolder(family), async (scorer, model) => {
      const session = scorer.open(model);
      const found = await session.score(
        rows.map((ids) => ({ ids })),
        { top: 3 },
      );
      rows.forEach((ids, row) => {
        const scores = found[row]!;
        assert.is(scores.logprobs.length, ids.length - 1);
        scores.logprobs.forEach((logprob, place) => {
          const start = (row * 24 + place) * 96;
          const expected = logSoftmax(logits.subarray(start, start + 96));
          const order = [...expected.keys()].sort((a, b) => expected[b]! - expected[a]!);
          const token = ids[place + 1]!;
          assert.ok(Math.abs(logprob - expected[token]!) < 1e-5, `${row}, ${place}: ${logprob}`);
          assert.is(scores.greedy[place], Number(order[0] === token));
          const top = scores.top![place]!;
          assert.equal(
            top.map(({ id }) => id),
            order.slice(0, 3),
          );
          assert.ok(Math.abs(top[2]!.logprob - expected[order[2]!]!) < 1e-5);
        });
      });
      const labelled = await session.score(rows.map((ids, row) => ({ ids, labels: labels[row]! })));
      const all = labelled.flatMap(({ logprobs }) => [...logprobs]);
      const mean = -all.reduce((sum, logprob) => sum + logprob, 0) / all.length;
      assert.ok(Math.abs(mean - loss) < 1e-5, `${mean}, transformers ${loss}`);
    });
  });
}

for (const family of ['llama', 'llama-dynamic', 'gpt2']) {
  test(`${family}: bit for bit the same alone, in batches of any size and in any order`, async () => {
    const rows: ScoreRow[] = drawnRows(30).map((ids) => ({ ids }));
    await withScorer(familyFolder(family), async (scorer, model) => {
      const alone = await scorer.open(model, { batchSize: 1 }).score(rows);
      for (const batchSize of [3, 16]) {
        const session = scorer.open(model, { batchSize });
        const done: number[] = [];
        const found = await session.score(rows, { progress: (count) => done.push(count) });
        assert.equal(found, alone);
        assert.is(done.at(-1), rows.length);
        assert.equal((await session.score([...rows].reverse())).reverse(), found);
        await session.dispose();
      }
    });
  });
}

test('a continuation has the sum of its tokens; choices of one context that differ in their last token cost one row', async () => {
  await withScorer(familyFolder('llama'), async (scorer, model) => {
    const session = scorer.open(model, { batchSize: 1 });
    const context = Int32Array.of(5, 17, 2, 40);
    const pair = (...ids: number[]): Continuation => ({
      context,
      continuation: Int32Array.from(ids),
    });
    const done: number[] = [];
    const found = await session.continuations([pair(7), pair(8), pair(9, 30), pair()], {
      progress: (count) => done.push(count),
    });
    assert.equal(done, [3, 4], 'one row for 7 and 8, one for 9, none for what scores nothing');
    const rows = await session.score(
      [
        [5, 17, 2, 40, 7],
        [5, 17, 2, 40, 9, 30],
      ].map((ids) => ({ ids: Int32Array.from(ids) })),
      { top: 1 },
    );
    assert.is(found[0]!.logprob, rows[0]!.logprobs[3]);
    assert.is(found[2]!.logprob, rows[1]!.logprobs[3]! + rows[1]!.logprobs[4]!);
    assert.equal(found[3], { logprob: 0, greedy: true });
    const likeliest = rows[0]!.top![3]![0]!;
    const [best] = await session.continuations([pair(likeliest.id)]);
    assert.equal(best, { logprob: likeliest.logprob, greedy: true });
    assert.is(found[2]!.greedy, false);
  });
});

test("a scalar head gives the value of each row's last token; a head of words is an error", async () => {
  await withScorer(familyFolder('llama'), async (scorer, model) => {
    const rows = drawnRows(5);
    assert.is((await failure(scorer.open(model).values(rows))).code, 'LMFLOW_SCORING_HEAD');
    const width = model.architecture.hiddenSize;
    const score = Float32Array.from({ length: width }, (_, index) => Math.sin(index));
    // the head's states, by the unit vectors as a head
    const states = async (ids: Int32Array): Promise<Float32Array> => {
      const all = await scorer.open(model).logits(ids);
      return all.subarray(all.length - width);
    };
    const headOf = (numbers: Float32Array): void => {
      wrap(model, 'head', 'test', (head) => (trace, hidden) => ({
        ...head(trace, hidden),
        weight: trace.graph.constant(numbers, [numbers.length / width, width], 'float32'),
      }));
    };
    headOf(Float32Array.from({ length: width * width }, (_, at) => Number(at % (width + 1) === 0)));
    const expected: number[] = [];
    for (const ids of rows) {
      const last = await states(ids);
      expected.push(last.reduce((sum, state, index) => sum + state * score[index]!, 0));
    }
    headOf(score);
    const values = await scorer.open(model).values(rows);
    values.forEach((value, row) => {
      assert.ok(Math.abs(value - expected[row]!) < 1e-5, `${value}, expected ${expected[row]}`);
    });
  });
});

test('rows that the model cannot read name their number', async () => {
  await withScorer(familyFolder('gpt2'), async (scorer, model) => {
    const session = scorer.open(model);
    const ids = Int32Array.of(1, 2, 96);
    const long = new Int32Array(34);
    const failures = [
      session.score([{ ids: Int32Array.of(1, 2) }, { ids }]),
      session.score([{ ids: long }]),
      session.score([{ ids: long.slice(0, 3), labels: long }]),
      session.logits(ids),
      session.values([new Int32Array(0)]),
      session.continuations([{ context: new Int32Array(0), continuation: ids }]),
    ];
    for (const unfit of failures) assert.is((await failure(unfit)).code, 'LMFLOW_SCORING_ROW');
    assert.is(
      (await failure(session.score([{ ids: Int32Array.of(1, 2) }, { ids }]))).message,
      'row 1 of the tokens to score has the id 96, the model 96 tokens',
    );
    const [whole] = await session.score([{ ids: long.slice(0, 33) }]);
    assert.is(whole!.logprobs.length, 32, 'a row may be one longer than the positions');
    assert.equal(await session.score([{ ids: Int32Array.of(1) }, { ids: new Int32Array(0) }]), [
      { logprobs: new Float64Array(0), greedy: new Uint8Array(0) },
      { logprobs: new Float64Array(0), greedy: new Uint8Array(0) },
    ]);
  });
});

test('an aborted signal ends between batches; the session goes on with the next call', async () => {
  await withScorer(familyFolder('llama'), async (scorer, model) => {
    const session = scorer.open(model);
    const rows = drawnRows(8).map((ids) => ({ ids }));
    const controller = new AbortController();
    const stopped = session.score(rows, {
      signal: controller.signal,
      progress: () => {
        controller.abort();
      },
    });
    const next = session.score(rows);
    assert.is((await failure(stopped)).name, 'AbortError');
    assert.is((await next).length, rows.length);
  });
});

async function failure(work: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

test.run();
