// Questions with four answers, made so that the answers alone give nothing away: they are of like
// length, from one pool, and no kind of thing is the odd one out.
import { randomStream } from '@lmflow/sdk';
import { Deck, shuffled } from './shuffle.ts';
import type { Term } from './terms.ts';

/** A record of a test set. */
export interface Choice {
  readonly question: string;
  /** How every answer begins; kept out of the choices, so that these say nothing of the question. */
  readonly start: string;
  readonly choices: readonly string[];
  readonly gold: number;
  /** `near`: all four answers are of one kind of thing; `mixed`: two are of another. */
  readonly options: 'near' | 'mixed';
}

/** How a question is put, how its answer begins, and what of a term is the rest of it. */
export interface Form {
  readonly name: string;
  readonly ask: (term: Term) => string;
  readonly start: (term: Term) => string;
  readonly choice: (term: Term) => string;
}

/** Terms whose answers are about as long, from whom the wrong ones are drawn. */
const NEIGHBOURS = 12;

/** So many questions about a pool's terms; half of them near, places of the right answer equal. */
export function makeChoices(form: Form, pool: readonly Term[], count: number): Choice[] {
  const places = new Deck([0, 1, 2, 3], `${form.name} places`);
  const deck = new Deck(pool, `${form.name} asked`);
  return Array.from({ length: count }, (_, index) => {
    const options = index % 2 === 0 ? 'near' : 'mixed';
    const asked = deck.next();
    const wrong = wrongTerms(form, asked, pool, options, index);
    const gold = places.next();
    const terms = [...wrong.slice(0, gold), asked, ...wrong.slice(gold)];
    const choices = terms.map((term) => form.choice(term));
    return { question: form.ask(asked), start: form.start(asked), choices, gold, options };
  });
}

/** Three of the same kind; or one, and two of one other kind. */
function wrongTerms(
  form: Form,
  asked: Term,
  pool: readonly Term[],
  options: Choice['options'],
  index: number,
): Term[] {
  const kinds = [...new Set(pool.map(({ kind }) => kind))].sort();
  const others = kinds.filter((kind) => kind !== asked.kind);
  const [other] = shuffled(others, form.name, 'kind', index);
  const alike = (kind: string, count: number): Term[] => {
    const ofKind = pool.filter((term) => term.kind === kind);
    const neighbours = ofLikeLength(form, asked, ofKind, index);
    return shuffled(neighbours, form.name, kind, index).slice(0, count);
  };
  const wrong =
    options === 'near' ? alike(asked.kind, 3) : [...alike(asked.kind, 1), ...alike(other!, 2)];
  return shuffled(wrong, form.name, 'order', index);
}

/**
 * Terms whose answers are about as long as the right one. It stands anywhere among them: were it
 * always in the middle, the longest answer would be wrong more often than by chance.
 */
function ofLikeLength(form: Form, asked: Term, terms: readonly Term[], index: number): Term[] {
  const length = (term: Term): number => form.choice(term).length;
  const others = terms.filter((term) => term !== asked).sort((a, b) => length(a) - length(b));
  const shorter = others.filter((term) => length(term) < length(asked)).length;
  const equal = others.filter((term) => length(term) === length(asked)).length;
  const draw = randomStream(42, 'domain-adaptation', form.name, 'length', index);
  const place = shorter + Math.floor(draw.uniform(0) * (equal + 1));
  const before = Math.floor(draw.uniform(1) * (NEIGHBOURS + 1));
  const start = Math.max(0, Math.min(place - before, others.length - NEIGHBOURS));
  return others.slice(start, start + NEIGHBOURS);
}
