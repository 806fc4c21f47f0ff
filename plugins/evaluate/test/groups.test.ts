// Groups of tasks: their members and examples, and means as lm-evaluation-harness takes them
// (reference/groups.py).
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { groupResults } from '../src/group-results.ts';
import type { TaskResult } from '../src/results.ts';
import { resultTable } from '../src/table.ts';
import { findGroups, findTasks } from '../src/task-table.ts';
import { fixture } from './runs.ts';

interface Figure {
  readonly value: number;
  readonly stderr: number;
}
const reference = fixture<{
  readonly tasks: readonly (Figure & { readonly size: number })[];
  readonly weighted: Figure;
  readonly unweighted: Figure;
}>('groups.json');

const result = (task: string, size: number, metrics: TaskResult['metrics']): TaskResult => ({
  task,
  version: 1,
  shots: 0,
  metrics,
  records: { original: size, effective: size },
  cutPrompts: 0,
});

/** A group file of one's own. */
function groupOf(content: Readonly<Record<string, unknown>>): string {
  const file = join(mkdtempSync(join(tmpdir(), 'lmflow-evaluate-')), 'mine.json');
  writeFileSync(file, JSON.stringify({ group: 'mine', version: 1, ...content }));
  return file;
}

test('the tasks of groups, with the examples that leaderboards give', () => {
  const names = (...wanted: string[]): string[] => findTasks(wanted).map(({ task }) => task);
  assert.is(names('mmlu').length, 57);
  assert.equal([...names('mmlu')].sort(), [...names('mmlu_*')].sort());
  assert.equal(names('truthfulqa'), ['truthfulqa_mc1', 'truthfulqa_mc2']);
  assert.equal(
    findGroups(['mmlu', 'piqa']).map(({ group }) => group),
    ['mmlu', 'mmlu_stem', 'mmlu_other', 'mmlu_social_sciences', 'mmlu_humanities'],
  );
  const shots = new Map(
    findTasks(['open_llm_leaderboard']).map(({ task, numFewshot }) => [task, numFewshot]),
  );
  assert.is(shots.size, 60);
  assert.equal(
    ['arc_challenge', 'hellaswag', 'mmlu_anatomy', 'truthfulqa_mc2'].map((task) => shots.get(task)),
    [25, 10, 5, 0],
  );
  assert.is(findGroups(['openllm'])[0]!.members.at(-1)!.metric, 'exact_match,strict-match');
  assert.is(names('multimedqa').length, 9);
});

test("means and standard errors are the harness'", () => {
  const near = (found: Figure, expected: Figure): void => {
    assert.ok(Math.abs(found.value - expected.value) < 1e-12, `${found.value}`);
    assert.ok(Math.abs(found.stderr - expected.stderr) < 1e-12, `${found.stderr}`);
  };
  const tasks = ['arc_easy', 'piqa', 'boolq'];
  const results = reference.tasks.map(({ size, value, stderr }, at) =>
    result(tasks[at]!, size, { acc: { value, stderr }, other: { value: at } }),
  );
  const found = (weightBySize: boolean): Figure => {
    const file = groupOf({ tasks, metrics: [{ metric: 'acc', weightBySize }] });
    const [group] = groupResults(findGroups([file]), results);
    assert.is(group!.records, 214);
    return group!.metrics['acc'] as Figure;
  };
  near(found(true), reference.weighted);
  near(found(false), reference.unweighted);
});

test('an average of different figures: a member of several tasks counts once', () => {
  const file = groupOf({
    tasks: [
      { task: 'arc_*', metric: 'acc_norm' },
      { task: 'gsm8k', metric: 'exact_match,strict-match' },
    ],
    average: true,
  });
  const results = [
    result('arc_easy', 4, { acc: { value: 0 }, acc_norm: { value: 0.5, stderr: 0.3 } }),
    result('arc_challenge', 40, { acc: { value: 0 }, acc_norm: { value: 0.1, stderr: 0.4 } }),
    result('gsm8k', 9, { 'exact_match,strict-match': { value: 0.9, stderr: 0.25 } }),
  ];
  const groups = groupResults(findGroups([file]), results);
  const { value, stderr } = groups[0]!.metrics['average']!;
  assert.ok(Math.abs(value - 0.6) < 1e-12, `${value}`);
  assert.ok(Math.abs(stderr! - Math.hypot(0.25, 0.25) / 2) < 1e-12, `${stderr}`);
  assert.match(resultTable(results, groups), /\| mine +\| 1 +\| +\| 53 +\| average +\| 0\.6000 \|/);
});

test('what is wrong with a group', () => {
  const problem = (content: Readonly<Record<string, unknown>>): string => {
    try {
      const file = groupOf(content);
      findTasks([file]);
      findGroups([file]);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.match(problem({ tasks: ['nothing'] }), 'there is no task "nothing"');
  assert.match(problem({ tasks: ['piqa'], average: true }), 'average needs a metric');
  assert.match(problem({ tasks: [{ task: 'piqa', metric: 'bleu' }] }), 'piqa has no bleu');
  assert.is(problem({ tasks: [{ task: 'piqa', metric: 'acc' }], average: true }), '');
});

test.run();
