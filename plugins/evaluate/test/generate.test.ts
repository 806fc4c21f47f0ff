// Generated answers against lm-evaluation-harness 0.4.13 (reference/harness_generate.py): prompts,
// texts, what its filters and exact_match make of them; batches change nothing.
import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { answerReading, readAnswers } from '../src/answer-filters.ts';
import { textMetric } from '../src/generate-task.ts';
import { textFigure } from '../src/text-figures.ts';
import { findAll, pythonRegex } from '../src/python-regex.ts';
import { evaluate, fixture, scratch, STORIES, written, writtenLines, type Line } from './runs.ts';

interface Sample {
  readonly doc_id: number;
  readonly context: string;
  readonly resps: readonly (readonly string[])[];
  readonly filtered_resps: readonly string[];
  readonly filter: string;
  readonly target: string;
  readonly prompt_hash: string;
  readonly target_hash: string;
  readonly metrics: Readonly<Record<string, number>>;
}

const harness = fixture<{
  readonly runs: readonly {
    readonly task: string;
    readonly shots: number;
    readonly samples: readonly Sample[];
    readonly results: Readonly<Record<string, number>>;
  }[];
  readonly filters: readonly {
    readonly filter: readonly Readonly<Record<string, unknown>>[];
    readonly texts: readonly (readonly string[])[];
    readonly found: readonly unknown[];
  }[];
  readonly exact_match: readonly (readonly [
    options: Readonly<Record<string, unknown>>,
    found: string,
    right: string,
    score: number,
  ])[];
}>('harness-generate.json');

const checks = { get: () => undefined, names: () => [] };

/** `regex_pattern` -> `regexPattern` */
const camelCased = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );

test("the harness' filters", () => {
  for (const { filter, texts, found } of harness.filters) {
    const row = answerReading.parse({
      name: 'it',
      filter: filter.map(({ function: name, ...rest }) => ({
        function: name,
        ...camelCased(rest),
      })),
    });
    texts.forEach((answers, at) => {
      const what = `${JSON.stringify(filter)} of ${JSON.stringify(answers)}`;
      assert.equal(readAnswers(answers, row.filter), found[at], what);
    });
  }
});

test("the harness' exact_match", () => {
  for (const [options, found, right, score] of harness.exact_match) {
    const metric = textMetric.parse({ metric: 'exact_match', ...camelCased(options) });
    assert.is(
      textFigure(metric, found, { targets: [right], checks }),
      score,
      JSON.stringify([options, found, right]),
    );
  }
  const metric = textMetric.parse({ metric: 'exact_match' });
  assert.is(
    textFigure(metric, 'b', { targets: ['a', 'b'], checks }),
    1,
    'one of the right answers is enough',
  );
  assert.is(textFigure(metric, ['c', 'd'], { targets: ['a', 'b'], checks }), 0);
});

test("Python's regular expressions", () => {
  const found = (pattern: string, text: string): unknown => findAll(pythonRegex(pattern), text);
  assert.equal(found('\\.$', 'a.\n'), ['.']);
  assert.equal(found('(?m)^\\w$', 'a\nb'), ['a', 'b']);
  assert.equal(found('\\A.\\Z|b$', 'ab\n'), ['b']);
  assert.equal(found('(?P<one>a)(?P=one)', 'aa'), ['a']);
  assert.equal(found('[]a-]+', ']a-b'), [']a-']);
  assert.equal(found('x{,2}\\-{', 'xx-{'), ['xx-{']);
  assert.equal(found('[\\s\\d]\\D', '\u0085é ٣x'), ['\u0085é', '٣x']);
  assert.throws(() => pythonRegex('('));
});

const near = (found: unknown, value: number, what: string): void => {
  assert.ok(Math.abs(Number(found) - value) < 1e-9, `${what}: ${String(found)}, not ${value}`);
};

const compare = (lines: readonly Line[], samples: readonly Sample[]): void => {
  assert.is(lines.length, samples.length);
  for (const expected of samples) {
    const line = lines.find(
      ({ doc_id: id, filter }) => id === expected.doc_id && filter === expected.filter,
    )!;
    assert.is(line.arguments['gen_args_0']!.arg_0, expected.context);
    const { context: _context, metrics, ...fields } = expected;
    for (const [name, value] of Object.entries(fields)) {
      assert.equal(line[name], value, `${name} of ${expected.doc_id}`);
    }
    for (const [name, value] of Object.entries(metrics)) {
      near(line[name], value, `${name} of ${expected.doc_id}`);
    }
  }
};

if (existsSync(STORIES)) {
  for (const { task, shots, samples, results } of harness.runs) {
    test(`${task}, ${shots} shots: prompts, answers, decisions and figures of the harness`, async () => {
      const outputDir = scratch();
      const options = { tasks: task, ...(shots === 5 ? {} : { numFewshot: shots }) };
      const { result, warnings } = await evaluate(options, { outputDir });
      compare(writtenLines(outputDir, task), samples);
      const found = JSON.parse(written(outputDir, 'results_', '.json')) as {
        readonly results: Readonly<Record<string, Readonly<Record<string, number>>>>;
        readonly 'n-shot': Readonly<Record<string, number>>;
      };
      for (const [key, value] of Object.entries(results)) {
        near(found.results[task]![key], value, key);
      }
      assert.is(found['n-shot'][task], shots, "the task's own number where none is asked for");
      // examples do not fit beside the answer; TruthfulQA's are in the question
      const cut = task === 'truthfulqa_gen' ? 3 : shots && 4;
      assert.is(result.tasks[0]!.cutPrompts, cut);
      assert.is(warnings.includes('lost their beginning'), cut > 0);
    });
  }

  test('batches change nothing', async () => {
    const run = async (batchSize: number): Promise<readonly Line[]> => {
      const outputDir = scratch();
      await evaluate({ tasks: 'gsm8k', batchSize, numFewshot: 2 }, { outputDir });
      return writtenLines(outputDir, 'gsm8k');
    };
    assert.equal(await run(1), await run(3));
  });
} else {
  process.stderr.write('skipped: no ../shared\n');
}

test.run();
