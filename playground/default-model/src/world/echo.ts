// Words in a row, known ones and invented ones, to be said again, or one of them found by the next.
import type { Draw } from './random.ts';
import type { Question } from './scene.ts';

/** Says words again, or says which of them comes after or before another. */
export function makeEcho(draw: Draw, words: readonly string[], invent: () => string): Question {
  const count = draw.between(3, 10);
  const list = new Set<string>();
  while (list.size < count) list.add(draw.chance(0.4) ? invent() : draw.one(words));
  const row = [...list];
  const choice = draw.between(0, 2);
  if (choice === 0) {
    const text = `${row.join(' ')}.`;
    return { question: `${draw.one(['Repeat:', 'Say:', 'Copy this:'])} ${text}`, answer: text };
  }
  const at = draw.between(0, row.length - 2);
  const [asked, answer] = choice === 1 ? [at, at + 1] : [at + 1, at];
  return {
    question: `Words: ${row.join(', ')}. Which comes ${choice === 1 ? 'after' : 'before'} ${row[asked]!}?`,
    answer: `${row[answer]!}.`,
  };
}
