// Held-out pairs of a feeling and a cause are in no training dialogue; both halves of them are.
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { makeDialogues, your } from '../src/dialogues.ts';

const test = suite('dialogues');
const { train, heldOut } = makeDialogues();
const answerOf = (dialogue: (typeof train)[number]): string => dialogue[1]!.content;

test('are the same each time', () => {
  assert.deepEqual(makeDialogues(), { train, heldOut });
  assert.equal(train.length, 144 + 12);
  assert.equal(heldOut.length, 36);
});

test('hold out pairs, not words', () => {
  const known = new Set(train.map(answerOf));
  assert.deepEqual(
    heldOut.map(answerOf).filter((answer) => known.has(answer)),
    [],
  );
  const halves = new Set([...known].flatMap((answer) => answer.split(/(?<=because )|(?<=\. )/)));
  const parts = heldOut.map(answerOf).flatMap((answer) => answer.split(/(?<=because )|(?<=\. )/));
  assert.deepEqual(
    parts.filter((part) => !halves.has(part)),
    [],
  );
});

test('say it back', () => {
  assert.equal(your('my sister and I lost my book'), 'your sister and you lost your book');
});

test.run();
