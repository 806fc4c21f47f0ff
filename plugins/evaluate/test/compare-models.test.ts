// `--compare` with models: base, adapters of two methods, fewer bits, and results already there.
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import ia3 from '@lmflow/plugin-ia3';
import inference from '@lmflow/preset-inference';
import type { Pluggable } from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';
import type { EvaluateResult } from '../src/index.ts';
import { wordsFixture } from './words.ts';

const fixtures = resolve(import.meta.dirname, '../../../test/fixtures');
const STORIES = resolve(import.meta.dirname, '../../../../shared/models/stories260k');
const LORA = join(fixtures, 'adapters/llama/plain');
const IA3 = join(fixtures, 'peft-methods/ia3/llama-random');

const scratch = (): string => mkdtempSync(join(tmpdir(), 'lmflow-compare-'));

async function run(
  options: Record<string, unknown>,
  config: Record<string, unknown> = {},
  plugins: readonly Pluggable[] = [],
): Promise<EvaluateResult & { readonly warnings: string }> {
  const { kernel, log } = await createTestKernel({
    presets: [inference],
    plugins: [...plugins],
    config,
  });
  try {
    const { result } = await kernel.run('evaluate', { options });
    return { ...result, warnings: log.texts('warn').join('\n') };
  } finally {
    await kernel.close();
  }
}

const codeOf = (running: Promise<unknown>): Promise<unknown> =>
  running.then(
    () => undefined,
    (error: unknown) => (error as { readonly code: unknown }).code,
  );

test('a model, its adapters and itself in 8 bits; then the same from their files', async () => {
  const { model, task } = wordsFixture();
  const outputDir = scratch();
  const names = [model, LORA, IA3, `${model}@8bit`];
  const { comparison, tasks, files } = await run(
    { tasks: task, compare: names, resamples: 200 },
    { model, outputDir, quantize: { cacheDir: scratch() } },
    [ia3()],
  );
  assert.equal(tasks, []);
  assert.equal(comparison!.sides, names);
  const [compared] = comparison!.tasks;
  assert.equal([compared!.task, compared!.records], ['words', 24]);
  const [adapted, scaled, rounded] = compared!.answeredDifferently as [number, number, number];
  assert.ok(adapted > 0 && scaled > 0, 'adapters change answers');
  assert.ok(rounded < adapted, 'rounding changes fewer');
  assert.is(compared!.samePrompts, true);
  for (const { differences } of Object.values(compared!.metrics)) {
    for (const { value, low, high, better, worse } of differences) {
      assert.ok(low <= value && value <= high);
      assert.ok(Math.abs(value - (better - worse) / 24) < 1e-12);
    }
  }
  const json = files.find((file) => /comparison_.*\.json$/.test(file))!;
  assert.equal(JSON.parse(readFileSync(json, 'utf8')), comparison);
  assert.ok(existsSync(json.replace(/json$/, 'md')));
  const folders = readdirSync(outputDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(outputDir, name));
  assert.is(folders.length, 4);
  const [base, lora] = [model, LORA].map((name) =>
    folders.find((folder) => folder.endsWith(name.replaceAll('/', '__'))),
  ) as [string, string];
  const again = await run({ compare: [base, lora], resamples: 200 });
  const [one] = again.comparison!.tasks;
  assert.equal(one!.metrics['acc']!.differences[0], compared!.metrics['acc']!.differences[0]);
  assert.is(one!.answeredDifferently[0], adapted);
  const mixed = await run({ tasks: task, compare: [base, model], resamples: 10 });
  assert.equal(mixed.comparison!.tasks[0]!.answeredDifferently, [0]);
  assert.is(
    await codeOf(run({ tasks: task, compare: [base, model], limit: 5 })),
    'LMFLOW_EVALUATE_DOCUMENTS',
  );
});

test('data without a task can be compared, too', async () => {
  const { model } = wordsFixture();
  const dataset = join(scratch(), 'texts.jsonl');
  writeFileSync(
    dataset,
    ['t1 t2 t3 t4', 't9 t8 t7'].map((text) => `{"text": "${text}"}\n`).join(''),
  );
  const { comparison } = await run(
    { metric: 'perplexity', compare: [model, LORA], resamples: 50 },
    { model, dataset },
  );
  const { values, differences } = comparison!.tasks[0]!.metrics['perplexity']!;
  assert.ok(Math.abs(values[1]!.value - values[0]!.value - differences[0]!.value) < 1e-9);
  assert.is(differences[0]!.better + differences[0]!.worse, 2);
  assert.equal(comparison!.tasks[0]!.answeredDifferently, [null]);
});

test('what cannot be compared is told', async () => {
  const { model, task } = wordsFixture();
  assert.is(await codeOf(run({ tasks: task, compare: [model] })), 'LMFLOW_EVALUATE_SIDE');
  assert.is(await codeOf(run({ compare: [model, LORA] })), 'LMFLOW_SETTING_MISSING');
  const unread = run({ tasks: task, compare: [model, IA3] }, { model });
  assert.is(await codeOf(unread), 'LMFLOW_EVALUATE_SIDE', 'no plugin for IA3');
});

if (existsSync(STORIES)) {
  test("the harness' own results and our evaluation of the same model", async () => {
    const written = join(import.meta.dirname, 'fixtures/written');
    const { comparison, warnings } = await run({
      compare: [written, STORIES],
      numFewshot: 2,
      dataDir: join(import.meta.dirname, 'fixtures/data'),
    });
    const [{ task, metrics, answeredDifferently }] = comparison!.tasks as [
      NonNullable<typeof comparison>['tasks'][number],
    ];
    assert.equal([task, answeredDifferently, warnings], ['arc_easy', [0], '']);
    for (const { differences } of Object.values(metrics)) {
      assert.equal(differences, [{ value: 0, low: 0, high: 0, better: 0, worse: 0 }]);
    }
  });
} else {
  process.stderr.write('skipped: no ../shared\n');
}

test.run();
