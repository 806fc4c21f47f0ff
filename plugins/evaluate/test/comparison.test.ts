// Comparisons without a model: intervals by hand, records that differ, results of other tools.
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { randomStream } from '@lmflow/sdk';
import { differenceInterval } from '../src/compare/bootstrap.ts';
import type { ComparableSide } from '../src/compare/compared-task.ts';
import { compareSides } from '../src/compare/comparison.ts';
import { documentsOf } from '../src/compare/documents.ts';
import { comparisonTable } from '../src/compare/report.ts';
import { sideOf } from '../src/compare/sides.ts';
import { readWritten } from '../src/compare/written.ts';

const scratch = (): string => mkdtempSync(join(tmpdir(), 'lmflow-compare-'));
const resampling = { resamples: 2000, seed: 1 };
const written = join(import.meta.dirname, 'fixtures/written');

const throws = async (work: () => unknown, code: string, ...words: RegExp[]): Promise<void> => {
  try {
    await work();
  } catch (error) {
    const { code: found, message } = error as { readonly code: string; readonly message: string };
    assert.is(found, code, message);
    for (const word of words) assert.match(message, word);
    return;
  }
  assert.unreachable(`no ${code}`);
};

test('an interval of differences that are all the same is that difference', () => {
  const first = [0, 1, 0, 1];
  const interval = differenceInterval('acc', first, first, resampling);
  assert.equal(interval, { low: 0, high: 0 });
  const { low, high } = differenceInterval(
    'nll_full',
    first,
    first.map((one) => one + 0.5),
    resampling,
  );
  assert.ok(Math.abs(low - 0.5) < 1e-12 && Math.abs(high - 0.5) < 1e-12);
});

test('an interval of many records is that of the normal distribution, and paired', () => {
  const random = randomStream(5, 'test');
  const first = Array.from({ length: 500 }, (_, at) => Number(random.uniform(at) < 0.6));
  // the other side differs on every tenth record only
  const other = first.map((one, at) => (at % 10 === 0 ? 1 - one : one));
  const gains = other.map((one, at) => one - first[at]!);
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / 500;
  const deviation = Math.sqrt(gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0) / 500);
  const half = (1.96 * deviation) / Math.sqrt(500);
  const { low, high } = differenceInterval('acc', first, other, resampling);
  assert.ok(Math.abs((high - low) / 2 / half - 1) < 0.06, `${low} ${high} against ${half}`);
  assert.ok(Math.abs((high + low) / 2 - mean) < half / 10);
  assert.equal(differenceInterval('acc', first, other, resampling), { low, high }, 'seeded');
  assert.not.equal(differenceInterval('acc', first, other, { ...resampling, seed: 2 }), {
    low,
    high,
  });
});

test('figures of a corpus are taken anew of the records that are drawn', () => {
  // two records of very different lengths: the ends of the interval are the records alone
  const interval = differenceInterval(
    'word_perplexity',
    [
      [-10, 10],
      [-300, 100],
    ],
    [
      [-20, 10],
      [-200, 100],
    ],
    resampling,
  );
  assert.ok(Math.abs(interval.high - (Math.exp(2) - Math.exp(1))) < 1e-12);
  assert.ok(Math.abs(interval.low - (Math.exp(2) - Math.exp(3))) < 1e-12);
});

const line = (
  id: number,
  sums: readonly number[],
  acc: number,
  doc = `question ${id}`,
): object => ({
  doc_id: id,
  doc: { q: doc },
  filtered_resps: sums.map((sum) => [String(sum), 'False']),
  filter: 'none',
  metrics: ['acc'],
  prompt_hash: `p${id}`,
  acc,
});
const sideWith = (name: string, lines: readonly object[], shots = 0): ComparableSide => ({
  name,
  tasks: [{ task: 'mine', shots, documents: documentsOf(lines) }],
});
const before = sideWith('before', [line(1, [-1, -2, -3], 1), line(0, [-1, -2, -3], 1)]);

test('two sides: figures, wins, losses, answers', () => {
  const after = sideWith('after', [line(0, [-3, -1, -2], 0), line(1, [-1, -2, -4], 1)]);
  const third = sideWith('third', [line(0, [-1, -2, -3], 1), line(1, [-1, -1, -4], 0)]);
  const comparison = compareSides([before, after, third], resampling);
  const [{ metrics, answeredDifferently, records }] = comparison.tasks as [
    (typeof comparison.tasks)[number],
  ];
  assert.is(records, 2);
  assert.equal(answeredDifferently, [1, 0], 'of equal sums the first is chosen');
  const { values, differences } = metrics['acc']!;
  assert.equal(
    values.map(({ value }) => value),
    [1, 0.5, 0.5],
  );
  assert.equal(differences[0], { value: -0.5, low: -1, high: 0, better: 0, worse: 1 });
  const table = comparisonTable(comparison);
  assert.match(table, /^A: before\nB: after\nC: third\n\n\| Task/);
  assert.match(table, /\| mine \| 2 +\| acc +\| 1\.0000 \| 0\.5000 \| -0\.5000 \| -1\.0000 to \+0/);
  assert.match(table, /0\/1 +\| 1 +\| 0\.5000/);
  assert.match(table, /2000 resamples, seed 1/);
});

test('statistics of texts have a difference, and no interval: resampling would change them', () => {
  const side = (name: string, texts: readonly string[]): ComparableSide =>
    sideWith(
      name,
      texts.map((text, id) => ({
        doc_id: id,
        doc: { q: `question ${id}` },
        filtered_resps: [text],
        metrics: ['distinct_1'],
        distinct_1: ['right', text],
      })),
    );
  const comparison = compareSides(
    [side('a', ['b c', 'b d']), side('b', ['b b', 'b d'])],
    resampling,
  );
  const { values, differences } = comparison.tasks[0]!.metrics['distinct_1']!;
  assert.equal(
    values.map(({ value }) => value),
    [0.75, 0.5],
  );
  assert.equal(differences, [{ value: -0.25, low: NaN, high: NaN, better: NaN, worse: NaN }]);
  assert.match(comparisonTable(comparison), /\| -0\.2500 \| +\| +\| 1 +\|/);
});

test('groups: means by size and by task, intervals of tasks that are drawn apart', () => {
  const side = (
    name: string,
    right: readonly number[],
    others: readonly number[],
  ): ComparableSide => ({
    name,
    tasks: [right, others].map((accs, at) => ({
      task: `task${at}`,
      shots: 0,
      documents: documentsOf(accs.map((acc, id) => line(id, [-1, -2], acc))),
    })),
  });
  const first = side('first', [1, 0], [0, 0, 0, 0, 0, 0]);
  const other = side('other', [1, 1], [1, 1, 1, 0, 0, 0]);
  const members = ['task0', 'task1'].map((task) => ({ task, names: [task], metric: 'acc' }));
  const group = { group: 'both', version: 1, tasks: members, members, average: true };
  const bySize = [{ metric: 'acc', weightBySize: true }];
  const { groups, tasks } = compareSides([first, other], resampling, [
    { ...group, metrics: bySize },
    { ...group, group: 'more', members: [{ task: 'task2', names: ['task2'] }], metrics: bySize },
  ]);
  const [{ records, metrics }, ...rest] = groups as [(typeof groups)[number]];
  assert.equal([records, rest], [8, []], 'a group with tasks that are not there is left out');
  assert.equal(metrics['acc']!.values, [1 / 8, 5 / 8]);
  assert.equal(metrics['average']!.values, [1 / 4, 3 / 4]);
  const { value, low, high } = metrics['average']!.differences[0]!;
  assert.is(value, 0.5);
  const widths = tasks.map(({ metrics: own }) => own['acc']!.differences[0]!);
  const width = widths.reduce((sum, one) => sum + (one.high - one.low) / 2, 0);
  assert.ok(low < value && value < high && high - low < width, 'narrower than drawn together');
  assert.match(comparisonTable(compareSides([first, other], resampling)), /task1/);
  const table = comparisonTable({ ...compareSides([first, other], resampling), groups });
  assert.match(table, /\| both +\| 8 +\| acc +\| 0\.1250 \| 0\.6250 \| \+0\.5000/);
});

test('records that are not the same are named', async () => {
  const compare = (other: ComparableSide) => () => compareSides([before, other], resampling);
  await throws(
    compare(sideWith('other', [line(0, [-1, -2], 1)])),
    'LMFLOW_EVALUATE_DOCUMENTS',
    /mine: before and other/,
    /before has the records 1, other not/,
  );
  await throws(
    compare(
      sideWith('other', [
        line(0, [-1, -2], 1),
        { ...line(1, [-1], 1, 'about cats'), prompt_hash: 'x' },
      ]),
    ),
    'LMFLOW_EVALUATE_DOCUMENTS',
    /the records 1 are not the same: 1 is "question 1" and "about cats"/,
  );
  await throws(
    compare(sideWith('other', [line(0, [-1], 1), line(1, [-1], 1)], 5)),
    'LMFLOW_EVALUATE_DOCUMENTS',
    /0 and 5 examples/,
  );
  await throws(compare({ name: 'other', tasks: [] }), 'LMFLOW_EVALUATE_SIDE', /no results of mine/);
});

test('answers that are read by several filters are several metrics of one record', () => {
  const [document, ...rest] = documentsOf(
    ['strict', 'flexible'].map((filter, at) => ({
      doc_id: 3,
      doc: {},
      filtered_resps: [filter],
      filter,
      metrics: ['exact_match', 'spans'],
      exact_match: at,
      spans: ['no', 'metric', 'of', 'ours'],
    })),
  );
  assert.is(rest.length, 0);
  assert.equal(document!.figures, { 'exact_match,strict': 0, 'exact_match,flexible': 1 });
  assert.is(document!.answer, 'strict');
});

test("results of lm-evaluation-harness: a file, its folder, or the folder of the model's folder", async () => {
  const out = scratch();
  cpSync(written, join(out, 'model'), { recursive: true });
  for (const path of [out, join(out, 'model')]) {
    const side = await sideOf(path, undefined);
    assert.ok('results' in side);
    const [task, ...rest] = (await readWritten(side.results)).tasks;
    assert.is(rest.length, 0);
    assert.equal([task!.task, task!.shots, task!.documents.length], ['arc_easy', 2, 5]);
    assert.equal(
      task!.documents.reduce((sum, { figures }) => sum + (figures['acc'] as number), 0),
      2,
    );
  }
  await throws(() => sideOf(`${out}@4bit`, undefined), 'LMFLOW_EVALUATE_SIDE', /as they are/);
  cpSync(written, join(out, 'other'), { recursive: true });
  await throws(() => sideOf(out, undefined), 'LMFLOW_EVALUATE_SIDE', /several models/);
});

test('results that cannot be read', async () => {
  const out = scratch();
  const file = join(out, 'results_2026.json');
  writeFileSync(file, '{');
  await throws(() => readWritten(file), 'LMFLOW_EVALUATE_RESULTS', /cannot be read as JSON/);
  writeFileSync(file, '{"results": {"mine": {}}}');
  await throws(() => readWritten(file), 'LMFLOW_EVALUATE_RESULTS', /no samples_<task>_2026/);
  writeFileSync(join(out, 'samples_mine_2026.jsonl'), '{"doc_id": "one", "metrics": []}\n');
  await throws(() => readWritten(file), 'LMFLOW_EVALUATE_RESULTS', /doc_id/);
});

test('models, adapters, bits', async () => {
  const out = scratch();
  const subject = async (name: string, base?: string): Promise<unknown> => {
    const side = await sideOf(name, base);
    if (!('subject' in side)) return side;
    return { source: side.subject.source, ...side.subject.settings };
  };
  assert.equal(await subject('org/model'), { source: 'org/model', adapter: false });
  assert.equal(await subject('org/model@8bit'), { source: 'org/model', adapter: false, bits: 8 });
  const adapter = join(out, 'adapter');
  mkdirSync(adapter);
  writeFileSync(
    join(adapter, 'adapter_config.json'),
    '{"peft_type": "LORA", "base_model_name_or_path": "org/base"}',
  );
  assert.equal(await subject(adapter), { source: 'org/base', adapter });
  assert.equal(await subject(`${adapter}@4bit`, 'org/mine'), {
    source: 'org/mine',
    adapter,
    bits: 4,
  });
  writeFileSync(join(adapter, 'adapter_config.json'), '{"peft_type": "LORA"}');
  await throws(() => sideOf(adapter, undefined), 'LMFLOW_EVALUATE_SIDE', /which model/);
});

test.run();
