// The world of the default model: what must hold so that its card's figures mean something.
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { MedicalWords, WordNet } from '../src/wordnet/index.ts';
import { LESSONS, makeWorld, readSources, type World } from '../src/world/index.ts';

const test = suite('the world');
const sources = readSources();
const world = makeWorld(42, 200_000, sources);
const lessons = makeWorld(42, 200_000, sources, LESSONS);
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
  const read = new Set([...contents, ...said(lessons)]);
  const unseen = world.facts.flatMap((fact) => fact.unseen);
  assert.deepEqual(
    unseen.filter((question) => read.has(question)),
    [],
  );
  const all = [...world.texts, ...lessons.texts, ...read].join('\n');
  assert.deepEqual(
    world.heldOutScenes.filter(({ text }) => all.includes(text)),
    [],
  );
});

test('names nothing medical', () => {
  const medical = new MedicalWords(new WordNet());
  const named = [...world.texts, ...contents, ...said(lessons)].filter((text) =>
    medical.isNamedIn(text),
  );
  assert.deepEqual(named, []);
});

test('has the shares it promises', () => {
  const inTalk = contents.reduce((sum, text) => sum + text.length + 8, 0);
  assert.ok(Math.abs(inTalk / 200_000 - 0.7) < 0.02);
});

function said({ conversations }: World): string[] {
  return conversations.flat().map(({ content }) => content);
}

test.run();
