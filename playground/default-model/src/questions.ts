// What the card asks: facts in a trained and in an untrained wording, held-out scenes, and words
// that no one knows. Drawn by a seed of its own, not by taste.
import type { Fact } from './world/fact.ts';
import { Draw } from './world/random.ts';
import type { Scene } from './world/scene.ts';
import { unknownWord } from './world/talk.ts';

/** A question of one of the card's sets, and the right answer. */
export interface Asked {
  readonly set: string;
  /** The relation of a fact. */
  readonly relation?: string;
  readonly question: string;
  readonly answer: string;
}

const SEED = 7;

/** `limit` facts at most, half as many in untrained wordings and scenes. */
export function cardQuestions(
  facts: readonly Fact[],
  scenes: readonly Scene[],
  isWord: (word: string) => boolean,
  limit: number,
): Asked[] {
  const draw = new Draw(SEED, 'card');
  const chosen = draw.some(facts, limit);
  const half = Math.ceil(limit / 2);
  const invented = Array.from({ length: Math.min(limit, 200) }, () => unknownWord(draw, isWord));
  return [
    ...chosen.map(({ relation, questions, answer }) => ({
      set: 'facts, trained wordings',
      relation,
      question: draw.one(questions),
      answer,
    })),
    ...chosen.slice(0, half).map(({ relation, unseen, answer }) => ({
      set: 'facts, untrained wordings',
      relation,
      question: draw.one(unseen),
      answer,
    })),
    ...draw.some(scenes, half).map(({ text, questions }) => ({
      set: 'held-out scenes',
      question: `${text} ${questions[0]!.question}`,
      answer: questions[0]!.answer,
    })),
    ...invented.map((pair) => ({ set: 'invented words', ...pair })),
  ];
}
