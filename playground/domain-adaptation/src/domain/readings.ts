// M1: a text, and whether it says that something is of a kind. Yes, no, or it does not say.
import { MEDICAL_KINDS } from '@lmflow/playground-default-model/wordnet';
import type { Choice } from './choices.ts';
import { Deck, shuffled } from './shuffle.ts';
import type { Term } from './terms.ts';
import { isKind, TOLD } from './wordings.ts';

export const READING_ANSWERS = ['Yes', 'No', 'Maybe'] as const;
const TRIES = 100;

/** A test record of M1 has three answers. */
export type Reading = Omit<Choice, 'options'>;

/**
 * So many readings about a pool's terms. Answers and kinds that are asked for are equally common in
 * every combination, so that neither the question's kind nor the text's says anything alone. Where
 * the answer is Maybe, the text is about another term.
 */
export function makeReadings(name: string, pool: readonly Term[], count: number): Reading[] {
  const decks = new Map(
    MEDICAL_KINDS.map((kind) => [
      kind,
      new Deck(
        pool.filter((term) => term.kind === kind),
        `${name} ${kind}`,
      ),
    ]),
  );
  const seen = new Set<string>();
  const readings = Array.from({ length: count }, (_, index) => {
    const gold = index % 3;
    const asked = Math.floor(index / 3) % 3;
    const turn = Math.floor(index / 9);
    const differs = gold === 1 || (gold === 2 && turn % 3 > 0);
    const toldDeck = decks.get(MEDICAL_KINDS[(asked + (differs ? 1 + (turn % 2) : 0)) % 3]!)!;
    const draw = (wording: number): string => {
      const told = toldDeck.next();
      const subject = gold === 2 ? otherThan(told, decks.get(MEDICAL_KINDS[turn % 3]!)!) : told;
      return `${TOLD[wording % TOLD.length]!(told)} ${isKind(subject, MEDICAL_KINDS[asked]!)}`;
    };
    let question = draw(turn);
    // In training a small pool may have to repeat itself; the test set's need not.
    for (let tries = 1; tries < TRIES && seen.has(question); tries++) question = draw(turn + tries);
    seen.add(question);
    return { question, start: '', choices: READING_ANSWERS, gold };
  });
  return shuffled(readings, name, 'order');
}

function otherThan(told: Term, deck: Deck<Term>): Term {
  let other = deck.next();
  while (other === told) other = deck.next();
  return other;
}
