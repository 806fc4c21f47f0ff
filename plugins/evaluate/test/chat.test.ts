// Prompts as chats against lm-evaluation-harness 0.4.13 (reference/harness_chat.py): as strings, with
// the sums and answers that follow.
import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate, fixture, near, scratch, STORIES, written, writtenLines } from './runs.ts';

const { runs } = fixture<{
  readonly runs: readonly {
    readonly task: string;
    readonly shots: number;
    readonly template: string | null;
    readonly multiturn: boolean;
    readonly system: string | null;
    readonly samples: readonly {
      readonly requests: readonly (readonly string[])[];
      readonly resps: readonly (string | readonly [number, boolean])[];
    }[];
    readonly results: Readonly<Record<string, number>>;
  }[];
}>('harness-chat.json');

if (existsSync(STORIES)) {
  for (const [index, run] of runs.entries()) {
    const { task, shots, template, multiturn, system, samples, results } = run;
    test(`run ${index}: ${task}, ${shots} shots`, async () => {
      const outputDir = scratch();
      const { warnings } = await evaluate(
        {
          tasks: task,
          numFewshot: shots,
          limit: 2,
          applyChatTemplate: template !== null,
          fewshotAsMultiturn: multiturn,
          ...(system === null ? {} : { systemInstruction: system }),
        },
        { outputDir, ...(template === null ? {} : { chatTemplate: template }) },
      );
      const lines = writtenLines(outputDir, task);
      samples.forEach(({ requests, resps }, id) => {
        const line = lines.find(({ doc_id: at }) => at === id)!;
        const found = Object.values(line.arguments).map(({ arg_0: context, arg_1: text }) => [
          context,
          typeof text === 'string' ? text : '',
        ]);
        assert.equal(found, requests);
        resps.forEach((expected, at) => {
          const [response] = line.resps[at]!;
          if (typeof expected === 'string') assert.is(response, expected);
          else {
            assert.ok(near(Number(response![0]), expected[0]), `${id}, ${at}: ${response![0]}`);
            assert.is(response![1], expected[1] ? 'True' : 'False');
          }
        });
      });
      const file = JSON.parse(written(outputDir, 'results_', '.json')) as {
        readonly results: Readonly<Record<string, Readonly<Record<string, number>>>>;
        readonly chat_template: string | null;
        readonly system_instruction: string | null;
      };
      for (const [key, value] of Object.entries(results)) {
        assert.ok(near(file.results[task]![key]!, value), key);
      }
      assert.is(file.chat_template, template);
      assert.is(file.system_instruction, system);
      const isRefused = template?.includes('raise_exception') ?? false;
      assert.is(warnings.includes('refuses system messages'), isRefused);
    });
  }
} else {
  process.stderr.write('skipped: no ../shared\n');
}

test.run();
