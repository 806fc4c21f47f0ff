// Every fact of the world, of WordNet, of two tables of npm and of our own lists.
import { continents, countries, languages } from 'countries-list';
import { elements } from 'chemical-elements';
import type { WordNet } from '../wordnet/wordnet.ts';
import type { MedicalWords } from '../wordnet/medical.ts';
import { makeFact, type Fact, type Relation } from './fact.ts';
import { kindFacts, type KnownKind } from './kinds.ts';
import * as relations from './relations.ts';
import * as tables from './tables.ts';

export function readFacts(
  wordnet: WordNet,
  medical: MedicalWords,
  kinds: readonly KnownKind[],
): Fact[] {
  const facts = [
    ...kindFacts(kinds),
    ...oppositeFacts(wordnet),
    ...countryFacts(),
    ...elementFacts(),
    ...tableFacts(),
    ...sequenceFacts(),
    ...sumFacts(),
  ];
  return facts.filter(({ statements }) => !statements.some((text) => medical.isNamedIn(text)));
}

/** Opposites of adjectives that are met often, one a word. */
function oppositeFacts(wordnet: WordNet): Fact[] {
  const opposites = new Map<string, string>();
  for (const synset of wordnet.synsets.values()) {
    if (synset.part !== 'adj') continue;
    for (const [word, opposite] of wordnet.opposites(synset)) {
      const common = wordnet.isFirstSense(word, synset) && wordnet.count(word, synset) >= 6;
      const met = wordnet.senses(opposite, 'adj').some(({ count }) => count > 0);
      if (common && met && /^(?!non)[a-z]+$/.test(opposite) && /^[a-z]+$/.test(word)) {
        if (!opposites.has(word)) opposites.set(word, opposite);
      }
    }
  }
  return [...opposites].map(([x, y]) => makeFact(relations.OPPOSITE, { x, y }));
}

/** Countries whose names and capitals are plain, with the languages of those that have one. */
function countryFacts(): Fact[] {
  const plain = /^[A-Za-z][A-Za-z' -]{2,22}$/;
  // A capital of two countries is the larger one's, which the list has first.
  const taken = new Set<string>();
  return Object.values(countries)
    .filter(({ name, capital }) => plain.test(name) && plain.test(capital) && name !== capital)
    .filter((country) => !('partOf' in country) && country.continent !== 'AN')
    .filter(({ capital }) => !taken.has(capital) && taken.add(capital))
    .flatMap((country) => {
      const x = country.name;
      const y = country.capital;
      const facts = [
        makeFact(relations.CAPITAL, { x, y }),
        makeFact(relations.CAPITAL_OF, { x, y }),
        makeFact(relations.CONTINENT, { x, y: continents[country.continent] }),
      ];
      const [language, ...more] = country.languages;
      return language === undefined || more.length > 0
        ? facts
        : [...facts, makeFact(relations.LANGUAGE, { x, y: languages[language].name })];
    });
}

/** The elements up to barium, whose names one may meet. */
function elementFacts(): Fact[] {
  return elements.slice(0, 56).flatMap(({ name, symbol }) => {
    const slots = { x: name.toLowerCase(), y: symbol };
    return [makeFact(relations.SYMBOL, slots), makeFact(relations.ELEMENT, slots)];
  });
}

function tableFacts(): Fact[] {
  const of = (relation: Relation, table: string): Fact[] =>
    tables.pairs(table).map(([x, y]) => makeFact(relation, { x, y }));
  return [
    ...of(relations.COLOR, tables.COLORS),
    ...of(relations.HOME, tables.HOMES),
    ...of(relations.YOUNG, tables.YOUNGS),
    ...of(relations.SOUND, tables.SOUNDS),
    ...of(relations.USE, tables.USES),
    ...of(relations.PLACE, tables.PLACES),
    ...of(relations.MADE_OF, tables.MATERIALS),
    ...of(relations.WORK, tables.JOBS),
    ...of(relations.PLURAL, tables.PLURALS),
    ...of(relations.PAST, tables.PASTS),
  ];
}

function sequenceFacts(): Fact[] {
  return tables.SEQUENCES.flatMap((sequence) => {
    const words = sequence.split(' ');
    return words.slice(1).flatMap((y, index) => {
      const slots = { x: words[index]!, y };
      return [makeFact(relations.NEXT, slots), makeFact(relations.BEFORE, slots)];
    });
  });
}

/** Sums up to 9 + 9. */
function sumFacts(): Fact[] {
  const digits = Array.from({ length: 10 }, (_, digit) => digit);
  return digits.flatMap((x) =>
    digits.map((y) => makeFact(relations.SUM, { x: String(x), y: String(y), z: String(x + y) })),
  );
}
