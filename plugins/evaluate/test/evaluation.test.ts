// Without a model: draws, templates, windows, figures by hand, and an evaluation that is killed.
import { appendFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  IGNORED,
  type ScoringSession,
  type TextGenerator,
  type TextRequest,
  type Tokenizer,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { captureLog } from 'lmflow/testing';
import { evaluateTask } from '../src/evaluation.ts';
import { capitalize, countWords, strip } from '../src/python-text.ts';
import { PythonRandom } from '../src/python-random.ts';
import { resultTable } from '../src/table.ts';
import { taskSchema, type TaskFile } from '../src/task-file.ts';
import { findTasks, taskNames } from '../src/task-table.ts';
import { render, type Doc } from '../src/template.ts';
import { tokenRows } from '../src/token-rows.ts';

const scratch = (): string => mkdtempSync(join(tmpdir(), 'lmflow-evaluate-'));

/** A token is a character; 0 is BOS. */
const model = {
  source: 'fake',
  architecture: { maxPositions: 6 },
  tokenizer: {
    bosId: 0,
    bosToken: '<s>',
    encode: (text, { addSpecialTokens = false } = {}) => ({
      ids: Int32Array.from([
        ...(addSpecialTokens ? [0] : []),
        ...[...text].map((one) => one.codePointAt(0)!),
      ]),
      offsets: new Int32Array(),
    }),
  } satisfies Partial<Tokenizer>,
} as unknown as Model;

/** A token's score is its code, negative. It stops working after so many calls. */
function fakeSession(calls = Infinity): ScoringSession & { readonly rows: number } {
  let [left, rows] = [calls, 0];
  return {
    get rows() {
      return rows;
    },
    score: async (some) => {
      if (left-- <= 0) throw new Error('killed');
      rows += some.length;
      return some.map(({ ids, labels }) => {
        const scored = ids.filter((_, at) => labels![at] !== IGNORED);
        return {
          logprobs: Float64Array.from(scored, (id) => -id),
          greedy: new Uint8Array(scored.length),
        };
      });
    },
  } as ScoringSession & { readonly rows: number };
}

test("Python's draws", () => {
  const draws = (length: number, count: number, times: number): number[][] => {
    const random = new PythonRandom(1234);
    return Array.from({ length: times }, () => random.sample(length, count));
  };
  assert.equal(draws(7, 2, 4), [
    [6, 3],
    [0, 6],
    [0, 4],
    [0, 5],
  ]);
  assert.equal(draws(1119, 5, 3), [
    [902, 239, 15, 185, 71],
    [171, 201, 726, 484, 35],
    [63, 32, 708, 991, 949],
  ]);
});

test("Python's strings", () => {
  assert.is(capitalize('the MAN ran'), 'The man ran');
  assert.is(capitalize('éVA'), 'Éva');
  assert.is(capitalize('ßa'), 'Ssa');
  assert.is(capitalize(''), '');
  assert.is(strip('\x1c \x85text\ufeff\n'), 'text\ufeff');
  assert.equal([countWords(' a b\n'), countWords('a\x1cb'), countWords('a\ufeffb')], [4, 2, 1]);
});

test('continuations: spaces move, BOS once, the beginning is cut', () => {
  const codes = (context: string, text: string): [number[], number[]] => {
    const [{ ids, labels }] = tokenRows(model, { context, text }).rows as [
      { ids: Int32Array; labels: Int32Array },
    ];
    return [[...ids], [...labels].filter((label) => label !== IGNORED)];
  };
  const [a, b, c, space] = [97, 98, 99, 32];
  assert.equal(codes('a', ' b'), [
    [0, a, space, b],
    [space, b],
  ]);
  assert.equal(codes('a \n', 'b'), [
    [0, a, space, 10, b],
    [space, 10, b],
  ]);
  assert.equal(codes('', 'b'), [[0, b], [b]]);
  assert.equal(codes('abcabc', 'ab'), [
    [b, c, a, b, c, a, b],
    [a, b],
  ]);
  assert.is(tokenRows(model, { context: 'abcabc', text: 'ab' }).cut, true);
  assert.is(tokenRows(model, { context: 'abcd', text: 'ab' }).cut, false);
  assert.throws(
    () => tokenRows(model, { context: 'a', text: 'abcabca' }),
    (error: { code: string }) => error.code === 'LMFLOW_EVALUATE_TOKENS',
  );
});

test('windows: each token once, the last one filled up with earlier tokens', () => {
  const windows = (length: number): [number[], number[]][] =>
    tokenRows(model, {
      text: String.fromCodePoint(...Array.from({ length }, (_, at) => at + 1)),
    }).rows.map(({ ids, labels }) => [[...ids], [...labels!].filter((one) => one !== IGNORED)]);
  assert.equal(windows(3), [
    [
      [0, 1, 2, 3],
      [1, 2, 3],
    ],
  ]);
  assert.equal(windows(6), [
    [
      [0, 1, 2, 3, 4, 5, 6],
      [1, 2, 3, 4, 5, 6],
    ],
  ]);
  assert.equal(windows(14), [
    [
      [0, 1, 2, 3, 4, 5, 6],
      [1, 2, 3, 4, 5, 6],
    ],
    [
      [6, 7, 8, 9, 10, 11, 12],
      [7, 8, 9, 10, 11, 12],
    ],
    [
      [8, 9, 10, 11, 12, 13, 14],
      [13, 14],
    ],
  ]);
  assert.equal(windows(0), []);
});

const choice: TaskFile = {
  task: 'mine',
  version: 1,
  type: 'choice',
  dataset: { path: 'nowhere' },
  splits: { test: 'test' },
  description: '',
  prompt: '{{q}}',
  filters: [],
  targetDelimiter: ' ',
  fewshotDelimiter: '\n\n',
  choices: 'options',
  gold: 'gold',
  sampler: 'default',
  metrics: ['acc', 'acc_norm', 'acc_bytes', 'acc_mutual_info'],
};
const docs = Array.from({ length: 70 }, (_, at) => ({
  q: 'q',
  options: ['aa', String.fromCodePoint(200 + at)],
  gold: at % 2,
}));

const evaluate = (
  session: ScoringSession,
  folder?: string,
  seed = 1234,
): ReturnType<typeof evaluateTask> =>
  evaluateTask(
    choice,
    { docs, pool: docs, leaveOut: true },
    {
      model,
      session,
      generator: () => assert.unreachable('nothing is generated') as never,
      checks: { get: () => undefined, names: () => [] },
      log: captureLog(),
      signal: new AbortController().signal,
      ask: { shots: 0, limit: Infinity, seed },
      folder,
      computed: 'by hand',
    },
  );

test('the figures of a choice by hand: sums, per character, per byte, less the choice alone', async () => {
  const { result, scored } = await evaluate(fakeSession());
  // ' aa' has -226, ' \u00c8' -232: less by the sum, by its one character and by its two bytes;
  // alone both have what they have after the question, so that the first of equal ones is taken
  assert.equal(scored[0]!.figures, { acc: 1, acc_norm: 1, acc_bytes: 1, acc_mutual_info: 1 });
  assert.equal(scored[1]!.figures, { acc: 0, acc_norm: 0, acc_bytes: 0, acc_mutual_info: 0 });
  assert.equal(
    scored[0]!.scores.map(({ logprob }) => logprob),
    [-226, -232],
  );
  const { acc } = result.metrics;
  assert.is(acc!.value, 0.5);
  assert.ok(Math.abs(acc!.stderr! - Math.sqrt(0.25 / 69)) < 1e-12);
  assert.match(
    resultTable([result]),
    /\| mine +\| 1 +\| 0 +\| 70 +\| acc +\| 0\.5000 \| ± 0\.0602 \|/,
  );
});

test('a killed evaluation goes on at the next record, and ends as one that was not killed', async () => {
  const folder = scratch();
  const file = join(folder, 'unfinished_mine.jsonl');
  const message = await evaluate(fakeSession(1), folder).then(
    () => 'nothing was thrown',
    (error: unknown) => (error as Error).message,
  );
  assert.is(message, 'killed');
  assert.is(readFileSync(file, 'utf8').trim().split('\n').length, 33);
  appendFileSync(file, '{"id":32,"sco'); // a line that a kill cut
  const session = fakeSession();
  const found = await evaluate(session, folder);
  assert.is(session.rows, (70 - 32) * 4);
  assert.equal({ ...found, end: 0 }, { ...(await evaluate(fakeSession())), end: 0 });
  const again = fakeSession();
  await evaluate(again, folder, 5);
  assert.is(again.rows, 70 * 4, 'of other settings nothing is taken');
  found.end();
  assert.not(existsSync(file));
});

test('generated answers: one is kept when it is there, drawn ones have a seed of their own', async () => {
  const folder = scratch();
  const task = taskSchema.parse({
    task: 'open',
    version: 1,
    type: 'generate',
    dataset: { path: 'nowhere' },
    splits: { test: 'test' },
    prompt: '{{q}}',
    target: 'gold',
    repeats: 2,
    generation: { doSample: true, temperature: 0.5, maxNewTokens: 4 },
    answers: [
      { name: 'vote', filter: [{ function: 'majority_vote' }, { function: 'take_first' }] },
    ],
    metrics: ['exact_match'],
  });
  const asked: unknown[] = [];
  const generator = (calls: number): TextGenerator =>
    ({
      defaults: () => ({ contextLength: 6, options: {} }),
      inference: async ({ prompt, options }: TextRequest) => {
        if (calls-- <= 0) throw new Error('killed');
        asked.push([...(prompt as Int32Array)], options);
        const text = String(options!.seed! % 2);
        return [text, text].map((one) => ({ text: one, ids: Int32Array.of(48) }));
      },
    }) as unknown as TextGenerator;
  const run = (calls: number, to?: string): ReturnType<typeof evaluateTask> =>
    evaluateTask(
      task,
      { docs, pool: docs, leaveOut: true },
      {
        model,
        session: fakeSession(0),
        generator: () => generator(calls),
        batchSize: 1,
        checks: { get: () => undefined, names: () => [] },
        log: captureLog(),
        signal: new AbortController().signal,
        ask: { shots: 0, limit: 10, seed: 6 },
        folder: to,
        computed: 'by hand',
      },
    );
  await run(3, folder).catch(() => undefined);
  const [prompt, options] = asked;
  assert.equal(prompt, [0, 113]);
  assert.equal(options, {
    maxNewTokens: 4,
    doSample: true,
    temperature: 0.5,
    seed: 6,
    numReturnSequences: 2,
    stop: ['\n\n'],
  });
  asked.length = 0;
  const found = await run(Infinity, folder);
  assert.is(asked.length / 2, 7);
  assert.equal({ ...found, end: 0 }, { ...(await run(Infinity)), end: 0 });
  assert.equal(found.result.metrics, { 'exact_match,vote': { value: 1, stderr: 0 } });
});

test('columns that data name differently, lists', () => {
  const text = (doc: Doc): string =>
    render('{{ONE or two.one | trim}}', doc, (column) => {
      throw new Error(`no ${column}`);
    });
  assert.is(text({ ONE: ' a ' }), 'a');
  assert.is(text({ two: { one: ['b', 'c'] } }), 'b\nc');
  assert.throws(() => text({ two: {} }), 'no ONE or two.one');
});

test("task files: names, patterns, files of one's own, and what is wrong with one", () => {
  const names = (...wanted: string[]): string[] => findTasks(wanted).map(({ task }) => task);
  assert.ok(taskNames().includes('hellaswag'));
  assert.is(names('mmlu_*').length, 57);
  assert.equal(names('mmlu_*anatomy', 'arc_*', 'arc_easy'), [
    'mmlu_anatomy',
    'arc_challenge',
    'arc_easy',
  ]);
  assert.is(findTasks(['mmlu_anatomy'])[0]!.dataset.subset, 'anatomy');
  const file = join(scratch(), 'mine.json');
  const refused = (content: unknown): { code: string; message: string } => {
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    try {
      findTasks([file]);
    } catch (error) {
      return error as { code: string; message: string };
    }
    return { code: 'none', message: '' };
  };
  assert.is(refused(choice).code, 'none');
  assert.is(refused('{').code, 'LMFLOW_EVALUATE_TASK_FILE');
  assert.match(
    refused({ ...choice, prompt: '{{q | shout}}' }).message,
    '"{{q | shout}}" has a field',
  );
  assert.match(refused({ ...choice, choices: undefined }).message, 'needs prompt and choices');
  assert.match(refused({ ...choice, metrics: ['bleu'] }).message, 'metrics.0');
  assert.throws(
    () => names('nothing'),
    (error: { code: string }) => error.code === 'LMFLOW_EVALUATE_TASK_UNKNOWN',
  );
});

test.run();
