// Against lm-evaluation-harness 0.4.13 on small data (reference/harness.py): prompts as strings, sums
// of log-probabilities, every decision, figures and standard errors;
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import inference from '@lmflow/preset-inference';
import { createTestKernel } from 'lmflow/testing';
import type { EvaluateResult } from '../src/index.ts';

const STORIES = resolve(import.meta.dirname, '../../../../shared/models/stories260k');
const fixtures = join(import.meta.dirname, 'fixtures');
const data = join(fixtures, 'data');

interface Sample {
  readonly requests: readonly (readonly string[])[];
  readonly sums: readonly number[];
  readonly greedy: readonly (boolean | null)[];
  readonly prompt_hash: string;
  readonly doc_hash: string;
  readonly target_hash: string;
  readonly metrics: Readonly<Record<string, number | readonly number[]>>;
}

const { runs } = JSON.parse(readFileSync(join(fixtures, 'harness.json'), 'utf8')) as {
  readonly runs: readonly {
    readonly task: string;
    readonly shots: number;
    readonly samples: readonly Sample[];
    readonly results: Readonly<Record<string, number | string>>;
  }[];
};

/** What a line of our samples file has. */
interface Line extends Readonly<Record<string, unknown>> {
  readonly arguments: Readonly<Record<string, { readonly arg_0: string; readonly arg_1?: string }>>;
  readonly resps: readonly (readonly (readonly string[])[])[];
}

const scratch = (): string => mkdtempSync(join(tmpdir(), 'lmflow-evaluate-'));

/** The content of the one file of the model's folder with this name. */
function written(outputDir: string, beginning: string, ending = ''): string {
  const [folder] = readdirSync(outputDir);
  const files = readdirSync(join(outputDir, folder!)).filter(
    (name) => name.startsWith(beginning) && name.endsWith(ending),
  );
  assert.is(files.length, 1, `${beginning}: ${files.join(', ')}`);
  return readFileSync(join(outputDir, folder!, files[0]!), 'utf8');
}

async function evaluate(
  options: Record<string, unknown>,
  config: Record<string, unknown> = {},
): Promise<{ readonly result: EvaluateResult; readonly warnings: string }> {
  const { kernel, log } = await createTestKernel({
    presets: [inference],
    config: { model: STORIES, ...config },
  });
  try {
    const { result } = await kernel.run('evaluate', { options: { dataDir: data, ...options } });
    return { result, warnings: log.texts('warn').join('\n') };
  } finally {
    await kernel.close();
  }
}

const near = (found: number, expected: number): boolean =>
  Math.abs(found - expected) <= 1e-4 * Math.max(1, Math.abs(expected));

if (existsSync(STORIES)) {
  for (const { task, shots, samples, results } of runs) {
    test(`${task}, ${shots} shots: prompts, sums, decisions and figures of the harness`, async () => {
      const outputDir = scratch();
      const { result } = await evaluate({ tasks: task, numFewshot: shots }, { outputDir });
      const lines = written(outputDir, `samples_${task}_`)
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
      assert.is(lines.length, samples.length);
      lines.forEach((line, id) => {
        const expected = samples[id]!;
        assert.equal(
          Object.values(line.arguments).map((one) => Object.values(one)),
          expected.requests,
        );
        line.resps.forEach(([response], at) => {
          const [sum, greedy] = response!;
          assert.ok(near(Number(sum), expected.sums[at]!), `${id}, ${at}: ${sum}`);
          const isGreedy = expected.greedy[at];
          if (isGreedy !== null) assert.is(greedy, isGreedy ? 'True' : 'False');
        });
        assert.is(line['prompt_hash'], expected.prompt_hash);
        assert.is(line['target_hash'], expected.target_hash);
        for (const [metric, value] of Object.entries(expected.metrics)) {
          if (typeof value === 'number') assert.is(line[metric], value, metric);
          else assert.is((line[metric] as number[])[1], value[1], `${metric}: its weight`);
        }
      });
      const { results: all, versions } = JSON.parse(written(outputDir, 'results_', '.json')) as {
        readonly results: Readonly<Record<string, Readonly<Record<string, number | string>>>>;
        readonly versions: Readonly<Record<string, number>>;
      };
      for (const [key, value] of Object.entries(results)) {
        const found = all[task]![key];
        if (typeof value === 'string') assert.is(found, value, key);
        else assert.ok(near(Number(found), value), `${key}: ${found}, the harness ${value}`);
      }
      assert.is(versions[task], result.tasks[0]!.version);
    });
  }

  test('long prompts lose their beginning, which is counted and told; batches change nothing', async () => {
    const run = (batchSize: number): ReturnType<typeof evaluate> =>
      evaluate({ tasks: 'boolq,wikitext', batchSize });
    const [one, many] = [await run(1), await run(16)];
    assert.equal(one.result, many.result);
    assert.equal(
      one.result.tasks.map(({ cutPrompts }) => cutPrompts),
      [2, 0],
    );
    assert.match(one.warnings, 'boolq: 2 prompts are longer than the model');
  });
} else {
  process.stderr.write('skipped: no ../shared\n');
}

test.run();
