// Data without a task: perplexity is transformers', sums by hand, packed is as unpacked.
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  joinSamples,
  MODELS,
  SCORER,
  type Sample,
  type Samples,
  type ScoringSession,
} from '@lmflow/sdk';
import { readSafetensors } from '@lmflow/sdk/formats';
import inference from '@lmflow/preset-inference';
import { createTestKernel } from 'lmflow/testing';
import type { EvaluateResult } from '../src/index.ts';
import { evaluateData, type DataMetric } from '../src/own-data.ts';

const fixture = resolve(import.meta.dirname, '../../../test/fixtures/families/llama');

/** A copy of the fixture model with a tokenizer of made-up words. */
function llamaFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-evaluate-llama-'));
  cpSync(fixture, folder, { recursive: true });
  const vocab = Object.fromEntries(Array.from({ length: 96 }, (_, id) => [`t${id}`, id]));
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: 't0' },
  };
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  return folder;
}

const samplesOf = (samples: readonly Sample[]): Samples =>
  ({
    length: samples.length,
    statistics: { truncated: 0 },
    get: (index) => samples[index]!,
  }) as Pick<Samples, 'length' | 'get'> as Samples;

const measured = async (
  metric: DataMetric,
  samples: Samples,
  session: ScoringSession,
  limit?: number,
): Promise<Record<string, number>> => {
  const { result } = await evaluateData({
    name: 'some/data.json',
    metric,
    samples,
    session,
    limit,
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  assert.is(result.task, 'data.json');
  return Object.fromEntries(
    Object.entries(result.metrics).map(([name, { value }]) => [name, value]),
  );
};

test("perplexity is exp of transformers' loss, packed or not", async () => {
  const tensors = await readSafetensors(join(fixture, 'reference.safetensors'));
  const { loss } = JSON.parse(readFileSync(join(fixture, 'reference.json'), 'utf8')) as {
    readonly loss: number;
  };
  const [ids, labels] = ['input_ids', 'labels'].map((name) =>
    Int32Array.from(tensors.get(name)!.data),
  ) as [Int32Array, Int32Array];
  // two rows of 24 tokens, the second one padded from 18 on
  const samples = [
    { inputIds: ids.slice(0, 24), labels: labels.slice(0, 24) },
    { inputIds: ids.slice(24, 42), labels: labels.slice(24, 42) },
  ];
  const { kernel } = await createTestKernel({ presets: [inference] });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'reference', purpose: 'inference', source: llamaFolder() });
    const session = kernel.resolve(SCORER).open(model);
    const { perplexity } = await measured('perplexity', samplesOf(samples), session);
    assert.ok(Math.abs(perplexity! / Math.exp(loss) - 1) < 1e-5, `${perplexity}`);
    const packed = samplesOf([joinSamples(samples)]);
    assert.equal(await measured('perplexity', packed, session), { perplexity });
    const one = await measured('perplexity', packed, session, 1);
    assert.not.equal(one, { perplexity }, 'the limit counts sequences');
  } finally {
    await kernel.close();
  }
});

test('sums of output, input and both, averaged over sequences', async () => {
  const session = {
    score: async (rows) =>
      rows.map(({ ids }) => ({
        logprobs: Float64Array.from(ids.slice(1), (id) => -id),
        greedy: new Uint8Array(ids.length - 1),
      })),
  } as Pick<ScoringSession, 'score'> as ScoringSession;
  const sample = (inputIds: number[], labels: number[]): Sample => ({
    inputIds: Int32Array.from(inputIds),
    labels: Int32Array.from(labels),
  });
  const samples = samplesOf([
    sample([9, 1, 2, 3], [-100, -100, 2, 3]),
    sample([9, 4, 5], [9, -100, 5]),
  ]);
  assert.equal(await measured('nll', samples, session), {
    nll_output: 5,
    nll_input: 2.5,
    nll_full: 7.5,
  });
  const { perplexity } = await measured('perplexity', samples, session);
  assert.ok(Math.abs(perplexity! - Math.exp(10 / 3)) < 1e-12, 'weighted by tokens');
});

test('the command: a data set in place of tasks, and what it refuses', async () => {
  const model = llamaFolder();
  const dataset = join(mkdtempSync(join(tmpdir(), 'lmflow-evaluate-')), 'mine.jsonl');
  writeFileSync(
    dataset,
    ['t1 t2 t3 t4 t5', 't9 t8 t7'].map((text) => `${JSON.stringify({ text })}\n`).join(''),
  );
  const run = async (
    config: Record<string, unknown>,
    options: Record<string, unknown>,
  ): Promise<EvaluateResult> => {
    const { kernel } = await createTestKernel({ presets: [inference], config });
    try {
      return (await kernel.run('evaluate', { options })).result;
    } finally {
      await kernel.close();
    }
  };
  const { tasks, files } = await run({ model, dataset }, { metric: 'nll', limit: 1 });
  assert.equal(
    [tasks[0]!.task, tasks[0]!.records, files],
    ['mine.jsonl', { original: 2, effective: 1 }, []],
  );
  assert.ok(tasks[0]!.metrics['nll_output']!.value > 0);
  assert.is(tasks[0]!.metrics['nll_input']!.value, 0);
  const code = async (...wanted: Parameters<typeof run>): Promise<unknown> =>
    run(...wanted).then(
      () => undefined,
      (error: unknown) => (error as { readonly code: unknown }).code,
    );
  assert.is(await code({ model }, {}), 'LMFLOW_SETTING_MISSING');
  assert.is(await code({ model }, { metric: 'nll' }), 'LMFLOW_SETTING_MISSING');
  assert.is(await code({}, { tasks: 'piqa' }), 'LMFLOW_SETTING_MISSING');
  assert.is(
    await code({ model, dataset }, { metric: 'accuracy', answerType: 'colour' }),
    'LMFLOW_EVALUATE_ANSWER_TYPE',
  );
  assert.is(await code({ model, dataset }, { metric: 'rouge' }), 'LMFLOW_EVALUATE_NO_QUESTIONS');
  const answered = join(mkdtempSync(join(tmpdir(), 'lmflow-evaluate-')), 'answered.json');
  const instances = [
    { input: 't1 t2 ', output: 't3' },
    { input: 't4 t7 ', output: 't5 t6' },
  ];
  writeFileSync(answered, JSON.stringify({ type: 'text2text', instances }));
  const own = await run({ model, dataset: answered }, { metric: 'rouge', maxNewTokens: 4 });
  assert.equal(Object.keys(own.tasks[0]!.metrics), ['rouge1', 'rouge2', 'rougeL']);
  assert.is(own.tasks[0]!.records.effective, 2);
  assert.is(
    await code({ model, dataset }, { metric: 'nll', tasks: 'piqa' }),
    'LMFLOW_EVALUATE_EITHER',
  );
});

test.run();
