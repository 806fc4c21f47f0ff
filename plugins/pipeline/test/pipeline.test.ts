// Stages: what is fresh, what is stale and why; references, conditions, loops; stages that fail, are
// killed or interrupted; settings without sense.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LMFlowError } from '@lmflow/sdk';
import type { LoopSetting, StageSetting } from '../src/index.ts';
import { fileOf, joining, ran, temporaryFolder, textOf } from './kit.ts';

async function errorOf(work: Promise<unknown>): Promise<LMFlowError> {
  try {
    await work;
  } catch (cause) {
    return cause as LMFlowError;
  }
  throw new Error('nothing was thrown');
}

/** Two inputs, three stages in a row, and one beside them. */
function chain(first: string, second: string): StageSetting[] {
  return [
    joining('one', [first]),
    joining('two', ['${one}/out.txt', second]),
    joining('three', ['${two}/out.txt']),
    joining('beside', [first]),
  ];
}

test('each stage runs once, with what the stages before it made, in the seed of the pipeline', async () => {
  const folder = temporaryFolder();
  const stages = chain(fileOf('A'), fileOf('B'));
  const first = await ran(folder, stages);
  assert.equal(first.states, ['one ran', 'two ran', 'three ran', 'beside ran']);
  assert.is(textOf(folder, 'three', 'out.txt'), 'A one (seed 5) B two (seed 5) three (seed 5)');
  const again = await ran(folder, stages);
  assert.equal(again.states, ['one fresh', 'two fresh', 'three fresh', 'beside fresh']);
  assert.equal(again.runs, []);
});

test('a changed input makes its stage stale, and what follows from it', async () => {
  const folder = temporaryFolder();
  const [first, second] = [fileOf('A'), fileOf('B')];
  await ran(folder, chain(first, second));
  writeFileSync(second, 'C');
  const dry = await ran(folder, chain(first, second), { options: { dryRun: true } });
  const expected = ['one fresh', 'two', 'three', 'beside fresh'];
  const states = (word: string): string[] =>
    expected.map((name) => (name.includes(' ') ? name : `${name} ${word}`));
  assert.equal(dry.states, states('stale'));
  assert.equal(dry.runs, []);
  const now = await ran(folder, chain(first, second));
  assert.equal(now.states, states('ran'));
  assert.match(now.outcomes[1]!.reason!, /its input .*input\.txt changed/);
  assert.match(now.outcomes[2]!.reason!, /what stage two made changed/);
  assert.match(textOf(folder, 'three', 'out.txt'), /C two/);
});

test('a stage that makes the same again leaves the rest fresh', async () => {
  const folder = temporaryFolder();
  const stages = chain(fileOf('A'), fileOf('B'));
  await ran(folder, stages);
  rmSync(join(folder, 'one', 'out.txt'));
  const { states, outcomes } = await ran(folder, stages);
  assert.equal(states, ['one ran', 'two fresh', 'three fresh', 'beside fresh']);
  assert.match(outcomes[0]!.reason!, /its output out\.txt changed or is gone/);
  const forced = await ran(folder, stages, { options: { from: 'beside' } });
  assert.equal(forced.runs, ['beside']);
});

test('settings and the files of a folder count', async () => {
  const folder = temporaryFolder();
  const data = temporaryFolder();
  writeFileSync(join(data, 'a.txt'), 'a');
  const stage = (more: Partial<StageSetting> & { word?: string }) => [joining('only', [], more)];
  assert.equal((await ran(folder, stage({ inputs: [data] }))).runs, ['only']);
  assert.equal((await ran(folder, stage({ inputs: [data] }))).runs, []);
  writeFileSync(join(data, 'b.txt'), 'b');
  assert.equal((await ran(folder, stage({ inputs: [data] }))).runs, ['only']);
  const worded = await ran(folder, stage({ inputs: [data], word: 'other' }));
  assert.is(worded.outcomes[0]!.reason, 'its settings changed');
  const gone = await errorOf(ran(folder, stage({ inputs: [join(data, 'none')] })));
  assert.is(gone.code, 'LMFLOW_PIPELINE_INPUT');
});

test('what a command writes is no input', async () => {
  const folder = temporaryFolder();
  const elsewhere = join(temporaryFolder(), 'copy.txt');
  writeFileSync(elsewhere, 'before');
  const stage = joining('only', [], {
    outputs: [],
    options: { label: 'only', output: elsewhere },
  });
  assert.equal((await ran(folder, [stage])).runs, ['only']);
  assert.is(readFileSync(elsewhere, 'utf8'), 'only (seed 5)');
  assert.equal((await ran(folder, [stage])).runs, []);
});

test('a stage that was killed runs again from its beginning, and no other', async () => {
  const folder = temporaryFolder();
  const stages = chain(fileOf('A'), fileOf('B'));
  const killed = (label: string): void => {
    if (label !== 'two') return;
    writeFileSync(join(folder, 'two', 'half.txt'), 'half');
    throw new Error('killed');
  };
  const error = await errorOf(ran(folder, stages, { doing: { runs: [], during: killed } }));
  assert.is(error.code, 'LMFLOW_PIPELINE_FAILED');
  assert.match(error.message, /stage "two": .*killed/);
  const record = JSON.parse(readFileSync(join(folder, 'two.stage.json'), 'utf8')) as object;
  assert.is((record as { state: string }).state, 'running');
  const { states, outcomes } = await ran(folder, stages);
  assert.equal(states, ['one fresh', 'two ran', 'three ran', 'beside ran']);
  assert.is(outcomes[1]!.reason, 'it did not come to its end');
  assert.not(existsSync(join(folder, 'two', 'half.txt')));
});

test('an interrupted pipeline ends with 130 and goes on there', async () => {
  const folder = temporaryFolder();
  const stages = chain(fileOf('A'), fileOf('B'));
  const controller = new AbortController();
  const during = (label: string): void => {
    if (label === 'two') controller.abort();
  };
  const { exitCode, states } = await ran(folder, stages, {
    doing: { runs: [], during },
    signal: controller.signal,
  });
  assert.is(exitCode, 130);
  assert.equal(states, ['one ran']);
  assert.equal((await ran(folder, stages)).runs, ['two', 'three', 'beside']);
});

test('an exit code and a missing output end the pipeline', async () => {
  const options = { label: 'bad', exitCode: 3 };
  const code = await errorOf(
    ran(temporaryFolder(), [joining('bad', [], { options, outputs: [] })]),
  );
  assert.match(code.message, /stage "bad": join ended with exit code 3/);
  const none = await errorOf(
    ran(temporaryFolder(), [joining('bad', [], { options: { label: 'bad' } })]),
  );
  assert.match(none.message, /join ended without making .*out\.txt/);
});

test('a loop: rounds read the one before, and what follows reads the last', async () => {
  const folder = temporaryFolder();
  const start = fileOf('0');
  const loop: LoopSetting = {
    name: 'rounds',
    repeat: 2,
    stages: [
      joining('draw', ['${previous.learn:-nothing}/out.txt', start]),
      joining('learn', ['${draw}/out.txt'], { word: 'round ${round}' }),
      joining('word', [], { word: '${previous.draw:-}' }),
    ],
  };
  const stages = [loop, joining('end', ['${learn}/out.txt'])];
  const { states } = await ran(folder, stages);
  assert.equal(
    states.map((text) => text.replace(' ran', '')),
    [
      'rounds-1/draw',
      'rounds-1/learn',
      'rounds-1/word',
      'rounds-2/draw',
      'rounds-2/learn',
      'rounds-2/word',
      'end',
    ],
  );
  const text = textOf(folder, 'end', 'out.txt').replaceAll(' (seed 5)', '');
  assert.is(text, '0 draw round 1 0 draw round 2 end');
  assert.is(textOf(folder, 'rounds-1', 'word', 'out.txt'), '- (seed 5)', 'the default');
  const second = textOf(folder, 'rounds-2', 'word', 'out.txt');
  assert.is(second, `${join(folder, 'rounds-1', 'draw')} (seed 5)`);
  const longer = await ran(folder, [{ ...loop, repeat: 3 }, stages[1]!]);
  assert.equal(longer.runs, ['draw', 'learn', 'word', 'end']);
});

test('conditions: of files, of values, of functions; a loop ends by them', async () => {
  const folder = temporaryFolder();
  const results = join(temporaryFolder(), 'results.json');
  writeFileSync(results, JSON.stringify({ tasks: { 'a.b': { acc: 0.6 } } }));
  const value = { file: results, value: 'tasks.a.b.acc' };
  const stages: (StageSetting | LoopSetting)[] = [
    joining('low', [], { if: { ...value, below: 0.5 } }),
    joining('high', [], { if: { ...value, above: 0.5 } }),
    joining('absent', [], { if: { exists: '${high}/none.txt' } }),
    joining('present', ['${absent:-nothing}'], { if: { missing: '${high}/none.txt' } }),
    joining('asked', [], { if: (stage) => existsSync(stage.folder('high')) }),
    { name: 'twice', repeat: 9, until: ({ round }) => round === 2, stages: [joining('in', [])] },
    { name: 'never', repeat: 9, while: { ...value, is: 'no' }, stages: [joining('not', [])] },
  ];
  const { states } = await ran(folder, stages);
  assert.equal(states, [
    'low skipped',
    'high ran',
    'absent skipped',
    'present ran',
    'asked ran',
    'twice-1/in ran',
    'twice-2/in ran',
  ]);
  const unread = await errorOf(
    ran(folder, [joining('x', [], { if: { ...value, value: 'tasks.c', above: 1 } })]),
  );
  assert.is(unread.code, 'LMFLOW_PIPELINE_CONDITION');
  const skipped = [stages[0]!, joining('reads', ['${low}/out.txt'])];
  assert.is((await errorOf(ran(folder, skipped))).code, 'LMFLOW_PIPELINE_NOT_MADE');
});

test('a folder with files of somebody else is left alone', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'mine'));
  writeFileSync(join(folder, 'mine', 'thesis.txt'), 'all of it');
  const { code } = await errorOf(ran(folder, [joining('mine', [])]));
  assert.is(code, 'LMFLOW_PIPELINE_FOLDER');
  assert.is(textOf(folder, 'mine', 'thesis.txt'), 'all of it');
});

test('settings without sense are told before anything runs', async () => {
  const good = joining('good', []);
  const cases: [readonly unknown[], string, RegExp][] = [
    [[], 'LMFLOW_PIPELINE_STAGES', /no stages/],
    [[good, good], 'LMFLOW_PIPELINE_STAGE', /two stages have this name/],
    [[good, { ...good, name: 'x', comand: 'y' }], 'LMFLOW_PIPELINE_STAGE', /"x".*comand/],
    [[good, { name: 'x' }], 'LMFLOW_PIPELINE_STAGE', /"x": command/],
    [[good, { name: 'x', repeat: 0, stages: [] }], 'LMFLOW_PIPELINE_STAGE', /repeat/],
    [[good, joining('x', ['${goood}'])], 'LMFLOW_PIPELINE_REFERENCE', /called "goood"/],
    [[joining('x', ['${good}']), good], 'LMFLOW_PIPELINE_REFERENCE', /"x"/],
    [[good, joining('x', ['${previous.good}'])], 'LMFLOW_PIPELINE_REFERENCE', /previous\.good/],
    [[good, joining('x', ['${round}'])], 'LMFLOW_PIPELINE_REFERENCE', /"round"/],
    [[good, joining('x', [], { if: { file: 'a', value: 'b' } })], 'LMFLOW_PIPELINE_STAGE', /if/],
  ];
  for (const [stages, expected, pattern] of cases) {
    const folder = temporaryFolder();
    const doing = { runs: [] };
    const { code, message } = await errorOf(ran(folder, stages as StageSetting[], { doing }));
    assert.is(code, expected, message);
    assert.match(message, pattern);
    assert.equal(doing.runs, []);
  }
  const from = await errorOf(ran(temporaryFolder(), [good], { options: { from: 'bad' } }));
  assert.is(from.code, 'LMFLOW_PIPELINE_STAGES');
});

test.run();
