// The book is whole, test and training are apart, and replay is a fifth of what is read.
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { LAST_READ, makeData, piecesOf, readBook } from '../src/data.ts';

const test = suite('Moby-Dick');
const data = makeData();
const size = (texts: readonly string[]): number =>
  texts.reduce((sum, { length }) => sum + length, 0);

test('has 135 chapters, of which the last 15 are never read', () => {
  const book = readBook();
  assert.deepEqual(
    book.map(({ chapter }) => chapter),
    Array.from({ length: 135 }, (_, at) => at + 1),
  );
  assert.match(data.book[0]!, /^Call me Ishmael\./);
  const plain = (text: string): string => text.replaceAll(/\s+/g, '');
  const whole = (from: number, to: number): string =>
    plain(
      book
        .slice(from, to)
        .map(({ text }) => text)
        .join(''),
    );
  assert.equal(plain(data.book.join('')), whole(0, LAST_READ));
  assert.equal(plain(data.unread.join('')), whole(LAST_READ, 135));
  assert.equal(data.unread.filter((piece) => data.book.includes(piece)).length, 0);
});

test('is cut between paragraphs', () => {
  const long = 'x'.repeat(1000);
  assert.deepEqual(piecesOf(`a\n\nb\n\n${long}\n\nc`), ['a\n\nb', long, 'c']);
});

test('replay is a fifth, and has nothing of what is tested', () => {
  const contents = data.replayConversations.flat().map(({ content }) => content);
  const replay = size([...data.replayTexts, ...contents]);
  const share = replay / (replay + size(data.book));
  assert.ok(Math.abs(share - 0.2) < 0.03, `${share}`);
  const read = new Set([...data.replayTexts, ...contents]);
  assert.equal(data.examples.filter((one) => read.has(one)).length, 0);
  assert.equal(data.facts.filter(([question]) => read.has(question!.content)).length, 0);
  assert.deepEqual(makeData().replayTexts, data.replayTexts, 'the same each time');
});

test.run();
