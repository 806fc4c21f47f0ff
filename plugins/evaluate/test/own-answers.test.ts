// Data without a task, answered by a model that is made up here: prompts, endings, figures, resuming.
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  IGNORED,
  joinSamples,
  type Sample,
  type Samples,
  type TextGenerator,
  type TextRequest,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { answerChecks } from '../src/answer-checks.ts';
import { answerData, type AnsweredMetric } from '../src/own-answers.ts';

/** A token is a character; 1 is BOS, 2 EOS, 3 ends a turn. */
const model = {
  source: 'fake',
  tokenizer: {
    bosId: 1,
    eosId: 2,
    decode: (ids: ArrayLike<number>) =>
      Array.from(ids, (id) => (id < 4 ? '' : String.fromCodePoint(id))).join(''),
  },
} as unknown as Model;

const codes = (text: string): number[] => [...text].map((one) => one.codePointAt(0)!);

/** Parts in turns: read, then trained. */
function sample(...parts: readonly (readonly number[])[]): Sample {
  const inputIds = Int32Array.from(parts.flat());
  const labels = Int32Array.from(
    parts.flatMap((ids, at) => (at % 2 === 0 ? ids.map(() => IGNORED) : ids)),
  );
  return { inputIds, labels };
}

const samplesOf = (some: readonly Sample[]): Samples =>
  ({
    length: some.length,
    statistics: { truncated: 0 },
    get: (index: number) => some[index]!,
  }) as unknown as Samples;

const conversation = sample([1, ...codes('2+2?')], [...codes('4'), 3], codes('sure?'), [
  ...codes('It is 4'),
  3,
]);
const question = sample([1, ...codes('Say yes')], [...codes('Yes!'), 3]);

const asked: TextRequest[] = [];
/** Repeats the end of the prompt, in words. */
const generator = (calls = Infinity): TextGenerator =>
  ({
    defaults: () => ({ contextLength: 12, options: { eosTokenId: [2] } }),
    inference: async (request: TextRequest) => {
      if (calls-- <= 0) throw new Error('killed');
      asked.push(request);
      const prompt = model.tokenizer.decode(request.prompt as Int32Array);
      const text = prompt.endsWith('sure?') ? 'no 3, but 4' : prompt.slice(-4);
      return [{ text, ids: Int32Array.from(codes(text)) }];
    },
  }) as unknown as TextGenerator;

const run = async (
  metric: AnsweredMetric,
  options: { check?: string; samples?: readonly Sample[]; folder?: string; calls?: number } = {},
): ReturnType<typeof answerData> =>
  answerData({
    name: 'some/own.json',
    metric,
    model,
    generator: () => generator(options.calls),
    check: answerChecks.find(({ name }) => name === (options.check ?? 'text'))!,
    samples: samplesOf(options.samples ?? [conversation, question]),
    limit: undefined,
    maxNewTokens: undefined,
    seed: 1,
    batchSize: 1,
    folder: options.folder,
    computed: 'by hand',
    signal: new AbortController().signal,
    progress: () => undefined,
  });

test('each answer of a conversation is asked for, packed or not', async () => {
  asked.length = 0;
  const { result, samples } = await run('accuracy', { check: 'number' });
  assert.equal(
    asked.map(({ prompt }) => [...(prompt as Int32Array)]),
    [
      [1, ...codes('2+2?')],
      codes('?4').concat(3, codes('sure?')).slice(-6),
      codes('ay yes').slice(-6),
    ],
  );
  const { eosTokenId, maxNewTokens, doSample } = asked[0]!.options!;
  assert.equal([eosTokenId, maxNewTokens, doSample], [[2, 3], 6, false]);
  // 2+2? has 2 as its last number, the second answer 4, the third none
  assert.is(result.metrics['accuracy']!.value, 1 / 3);
  assert.equal(result.records, { original: 3, effective: 3 });
  assert.is(result.cutPrompts, 2);
  assert.equal(
    samples.map(({ target, filtered_resps: read }) => [target, read]),
    [
      ['4', ['2']],
      ['It is 4', ['4']],
      ['Yes!', ['[invalid]']],
    ],
  );
  const packed = await run('accuracy', {
    check: 'number',
    samples: [joinSamples([conversation, question])],
  });
  assert.equal({ ...packed, end: 0 }, { ...(await run('accuracy', { check: 'number' })), end: 0 });
});

test('the figures of each metric', async () => {
  const metrics = async (
    metric: AnsweredMetric,
    check?: string,
  ): Promise<Record<string, number>> => {
    const { result } = await run(metric, { samples: [question], ...(check ? { check } : {}) });
    return Object.fromEntries(
      Object.entries(result.metrics).map(([name, { value }]) => [name, value]),
    );
  };
  assert.equal(await metrics('accuracy', 'text'), { accuracy: 1 });
  assert.equal(await metrics('accuracy', 'exact'), { accuracy: 0 });
  assert.equal(await metrics('rouge'), { rouge1: 1, rouge2: 0, rougeL: 1 });
  assert.equal(await metrics('statistics'), {
    answer_length: 1,
    distinct_1: 1,
    distinct_2: NaN,
    unique_1: 1,
    unique_2: 0,
    msttr_100: NaN,
  });
  assert.equal(await metrics('bleu'), { bleu: 0 });
  assert.ok((await metrics('chrf'))['chrf']! > 20);
});

test('a killed run goes on at the next answer; texts alone have no questions', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-evaluate-'));
  asked.length = 0;
  await run('rouge', { folder, calls: 2 }).catch(() => undefined);
  assert.is(asked.length, 2);
  const found = await run('accuracy', { folder, check: 'number' });
  assert.is(asked.length, 3, 'answers serve every metric');
  assert.is(found.result.metrics['accuracy']!.value, 1 / 3);
  found.end();
  assert.equal(readdirSync(folder), []);
  const code = await run('rouge', { samples: [sample([1], codes('a text'))] }).then(
    () => undefined,
    (error: unknown) => (error as { code: string }).code,
  );
  assert.is(code, 'LMFLOW_EVALUATE_NO_QUESTIONS');
});

test.run();
