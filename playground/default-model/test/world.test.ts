// The world of the default model: what must hold so that its card's figures mean something.
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { MedicalWords, WordNet } from '../src/wordnet/index.ts';
import { makeEcho } from '../src/world/echo.ts';
import { makePassage } from '../src/world/passage.ts';
import { Draw } from '../src/world/random.ts';
import { unknown } from '../src/world/talk.ts';
import {
  LESSONS,
  makeWorld,
  PRACTICE,
  readSources,
  REPETITION,
  type World,
} from '../src/world/index.ts';

const test = suite('the world');
const sources = readSources();
const world = makeWorld(42, 200_000, sources);
const later = [LESSONS, PRACTICE, REPETITION].map((plan) => makeWorld(42, 200_000, sources, plan));
const contents = said(world);

test('is the same for the same seed, another for another', () => {
  assert.deepEqual(makeWorld(42, 200_000, sources), world);
  assert.notDeepEqual(makeWorld(43, 200_000, sources).texts, world.texts);
});

test('tells a fact in four wordings and asks for it in five or more', () => {
  for (const { statements, questions, unseen } of world.facts) {
    assert.ok(new Set(statements).size >= 4, statements[0]);
    assert.ok(new Set(questions).size >= 5, questions[0]);
    assert.equal(new Set(unseen).size, 3);
  }
});

test('has one answer to a question', () => {
  const answers = new Map<string, string>();
  const two: string[] = [];
  for (const { questions, unseen, answer } of world.facts) {
    for (const question of [...questions, ...unseen]) {
      if ((answers.get(question) ?? answer) !== answer) two.push(question);
      answers.set(question, answer);
    }
  }
  assert.deepEqual(two, []);
});

test('keeps wordings and scenes of the card out of the text', () => {
  const read = new Set([...contents, ...later.flatMap(said)]);
  const unseen = world.facts.flatMap((fact) => fact.unseen);
  assert.deepEqual(
    unseen.filter((question) => read.has(question)),
    [],
  );
  const all = [world, ...later]
    .flatMap(({ texts }) => texts)
    .concat(...read)
    .join('\n');
  assert.deepEqual(
    world.heldOutScenes.filter(({ text }) => all.includes(text)),
    [],
  );
});

test('names nothing medical', () => {
  const medical = new MedicalWords(new WordNet());
  const named = [...world.texts, ...contents, ...later.flatMap(said)].filter((text) =>
    medical.isNamedIn(text),
  );
  assert.deepEqual(named, []);
});

test('a passage has the answer to what is asked, or the answer says that it has none', () => {
  const draw = new Draw(3, 'passages');
  for (let count = 0; count < 300; count++) {
    const { text, questions } = makePassage(draw, () => unknown(draw, sources.isWord));
    for (const { question, answer } of questions) {
      const [, denied] = /^I do not know (.*)\.$/.exec(answer) ?? [];
      const subject = (denied ?? answer).match(/\ban? (\w+)/i)![1]!;
      const told = text.toLowerCase().includes(subject.toLowerCase());
      if (denied === undefined) assert.ok(told, `${text} ${question} ${answer}`);
      const value = / (?:is|used to|in the|kind of) (?:an? kind of )?(\w+)\.$/.exec(answer)?.[1];
      if (denied === undefined && value !== undefined) assert.ok(text.includes(value), answer);
    }
  }
});

test('says words again, or the one that comes after or before', () => {
  const draw = new Draw(4, 'echo');
  const words = [
    'sun',
    'moon',
    'star',
    'sky',
    'sea',
    'hill',
    'road',
    'tree',
    'leaf',
    'rain',
    'snow',
  ];
  for (let count = 0; count < 300; count++) {
    const { question, answer } = makeEcho(draw, words, () => unknown(draw, sources.isWord));
    const [, row, order, asked] = /^Words: (.*)\. Which comes (\w+) (\w+)\?$/.exec(question) ?? [];
    if (row === undefined) {
      assert.ok(question.endsWith(`: ${answer}`));
      continue;
    }
    const list = row.split(', ');
    const at = list.indexOf(asked!) + (order === 'after' ? 1 : -1);
    assert.equal(answer, `${list[at]!}.`);
  }
});

test('has the shares it promises', () => {
  const inTalk = contents.reduce((sum, text) => sum + text.length + 8, 0);
  assert.ok(Math.abs(inTalk / 200_000 - 0.7) < 0.02);
});

function said({ conversations }: World): string[] {
  return conversations.flat().map(({ content }) => content);
}

test.run();
