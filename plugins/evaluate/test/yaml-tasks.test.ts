// Task files in YAML: with our keys, with the harness's plain keys, and what is refused by its name.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import inference from '@lmflow/preset-inference';
import { createTestKernel } from 'lmflow/testing';
import type { TaskFile } from '../src/task-file.ts';
import { findTasks } from '../src/task-table.ts';
import { wordsFixture } from './words.ts';

const folder = mkdtempSync(join(tmpdir(), 'lmflow-yaml-'));

function read(text: string): TaskFile {
  const file = join(folder, 'mine.yaml');
  writeFileSync(file, text);
  return findTasks([file])[0]!;
}

const arc = `
task: arc_easy
dataset_path: allenai/ai2_arc
dataset_name: ARC-Easy
output_type: multiple_choice
training_split: train
validation_split: validation
test_split: test
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: "{{choices.label.index(answerKey)}}"
doc_to_choice: "{{choices['text']}}"
metric_list:
  - { metric: acc, aggregation: mean, higher_is_better: true }
  - metric: acc_norm
metadata: { version: 1.0 }
`;

test("files with the harness's keys are the tasks of this package", () => {
  assert.equal(read(arc), findTasks(['arc_easy'])[0]);
  const piqa = `
task: piqa
tag: [physics]
dataset_path: baber/piqa
dataset_name: null
output_type: multiple_choice
training_split: train
validation_split: validation
test_split: null
doc_to_text: "Question: {{goal}}\\nAnswer:"
doc_to_target: label
doc_to_choice: "{{[sol1, sol2]}}"
metric_list: [{ metric: acc }, { metric: acc_norm }]
metadata: { version: 1.0 }
`;
  assert.equal(read(piqa), findTasks(['piqa'])[0]);
  const gsm8k = `
task: gsm8k
dataset_path: openai/gsm8k
dataset_name: main
output_type: generate_until
training_split: train
fewshot_split: train
test_split: test
num_fewshot: 5
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: answer
generation_kwargs: { until: ["Question:", "</s>", "<|im_end|>"], do_sample: false, temperature: 0.0 }
metric_list:
  - metric: exact_match
    ignore_case: true
    regexes_to_ignore: [",", "\\\\$", "(?s).*#### ", "\\\\.$"]
filter_list:
  - name: strict-match
    filter: [{ function: regex, regex_pattern: "#### (\\\\-?[0-9\\\\.\\\\,]+)" }, { function: take_first }]
  - name: flexible-extract
    filter:
      - { function: regex, group_select: -1, regex_pattern: "(-?[$0-9.,]{2,})|(-?[0-9]+)" }
      - function: take_first
metadata: { version: 3.0 }
`;
  const found = read(gsm8k);
  const own = findTasks(['gsm8k'])[0]!;
  assert.equal({ ...found, target: '' }, { ...own, target: '' });
  assert.is(
    found.type === 'generate' && found.target,
    'answer',
    'a column, which is a template, too',
  );
});

test('a text to score, labels in the file, a number, files of splits', () => {
  const rolling = read(`
task: pages
dataset_path: json
dataset_kwargs: { data_files: { test: a.jsonl } }
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{page.strip()}}"
metric_list: [{ metric: word_perplexity, aggregation: weighted_perplexity }]
`);
  assert.equal(
    [rolling.type === 'rolling' && rolling.text, rolling.dataset.files, rolling.version],
    ['{{page | trim}}', { test: 'a.jsonl' }, 0],
  );
  const gold = (target: string): unknown => {
    const task = read(arc.replace('"{{choices.label.index(answerKey)}}"', target));
    return task.type === 'choice' && task.gold;
  };
  assert.is(gold('0'), 0);
  assert.is(gold('answer'), 'answer');
  assert.equal(gold(`"{{['no', 'yes'].index(answer)}}"`), {
    label: '{{answer}}',
    labels: ['no', 'yes'],
  });
});

for (const [what, change, message] of [
  [
    'a function',
    ['doc_to_text: "', 'process_docs: !function utils.clean\ndoc_to_text: "'],
    /"!function utils\.clean" is Python code/,
  ],
  ['a key that is not known', ['task:', 'use_prompt: x\ntask:'], /"use_prompt" is not read here/],
  [
    'a file that includes another',
    ['task:', 'include: base.yaml\ntask:'],
    /"include" is not read here/,
  ],
  [
    'a statement',
    ['{{question}}', '{% if question %}{{question}}{% endif %}'],
    /a statement of Jinja/,
  ],
  ['an expression', ['{{question}}', '{{question + 1}}'], /has a field that is not/],
  ['another type', ['multiple_choice', 'loglikelihood'], /"output_type" is loglikelihood/],
  [
    'another mean',
    ['aggregation: mean', 'aggregation: median'],
    /"metric_list.aggregation" of acc is mean/,
  ],
  ['a metric', ['metric: acc,', 'metric: f1,'], /metrics/],
  ['an option of a metric', ['higher_is_better', 'ignore_case'], /ignoreCase/],
  ['a group', ['task: arc_easy', 'task: [arc_easy, piqa]'], /a group of tasks/],
  ['YAML that is none', ['task: arc_easy', 'task: "arc_easy'], /task .*mine\.yaml/],
] as const) {
  test(`refused by its name: ${what}`, () => {
    assert.not.throws(() => read(arc));
    try {
      read(arc.replace(change[0], change[1]));
    } catch (error) {
      const { code, message: found } = error as { readonly code: string; readonly message: string };
      assert.is(code, 'LMFLOW_EVALUATE_TASK_FILE');
      assert.match(found, message);
      return;
    }
    assert.unreachable();
  });
}

test('the example of the notes is a whole task, and runs', async () => {
  const notes = resolve(import.meta.dirname, '../../../docs/notes/evaluate.md');
  const example = /```yaml\n(task: capitals\n[^`]*)```/.exec(readFileSync(notes, 'utf8'))![1]!;
  assert.is(example.trim().split('\n').length, 12);
  const data = mkdtempSync(join(tmpdir(), 'lmflow-yaml-data-'));
  const records = [
    { country: 't1', cities: ['t2', 't3'], answer: 't3' },
    { country: 't4', cities: ['t5', 't6'], answer: 't5' },
  ];
  writeFileSync(
    join(data, 'capitals.jsonl'),
    records.map((one) => `${JSON.stringify(one)}\n`).join(''),
  );
  const file = join(data, 'capitals.yaml');
  writeFileSync(file, example.replace('data/capitals.jsonl', join(data, 'capitals.jsonl')));
  const { kernel } = await createTestKernel({
    presets: [inference],
    config: { model: wordsFixture().model },
  });
  try {
    const { result } = await kernel.run('evaluate', { options: { tasks: file } });
    const [{ task, records: counted, metrics }] = result.tasks as [(typeof result.tasks)[number]];
    assert.equal([task, counted.effective], ['capitals', 2]);
    assert.equal(Object.keys(metrics), ['acc', 'acc_norm']);
  } finally {
    await kernel.close();
  }
});

test.run();
