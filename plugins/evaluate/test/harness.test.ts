// Against lm-evaluation-harness 0.4.13 on small data (reference/harness.py): prompts as strings, sums
// of log-probabilities, every decision, figures and standard errors.
import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate, fixture, near, scratch, STORIES, written, writtenLines } from './runs.ts';

interface Sample {
  readonly requests: readonly (readonly string[])[];
  readonly sums: readonly number[];
  readonly greedy: readonly (boolean | null)[];
  readonly prompt_hash: string;
  readonly doc_hash: string;
  readonly target_hash: string;
  readonly metrics: Readonly<Record<string, number | readonly number[]>>;
}

const { runs } = fixture<{
  readonly runs: readonly {
    readonly task: string;
    readonly shots: number;
    readonly samples: readonly Sample[];
    readonly results: Readonly<Record<string, number | string>>;
  }[];
}>('harness.json');

if (existsSync(STORIES)) {
  for (const { task, shots, samples, results } of runs) {
    test(`${task}, ${shots} shots: prompts, sums, decisions and figures of the harness`, async () => {
      const outputDir = scratch();
      const { result } = await evaluate({ tasks: task, numFewshot: shots }, { outputDir });
      const lines = writtenLines(outputDir, task);
      assert.is(lines.length, samples.length);
      lines.forEach((line, id) => {
        const expected = samples[id]!;
        assert.equal(
          Object.values(line.arguments).map((one) => Object.values(one)),
          expected.requests,
        );
        line.resps.forEach(([response], at) => {
          const [sum, greedy] = response as readonly string[];
          assert.ok(near(Number(sum), expected.sums[at]!), `${id}, ${at}: ${sum}`);
          const isGreedy = expected.greedy[at];
          if (isGreedy !== null) assert.is(greedy, isGreedy ? 'True' : 'False');
        });
        assert.is(line['prompt_hash'], expected.prompt_hash);
        // of pubmedqa the harness keeps the word, of others the index
        if (task !== 'pubmedqa') assert.is(line['target_hash'], expected.target_hash);
        for (const [metric, value] of Object.entries(expected.metrics)) {
          if (typeof value === 'number') assert.ok(near(line[metric] as number, value), metric);
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
