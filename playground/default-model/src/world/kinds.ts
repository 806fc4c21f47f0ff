// What common nouns are kinds of: WordNet's own chain, cut to a few kinds that everyone knows.
import type { WordNet } from '../wordnet/wordnet.ts';
import type { MedicalWords } from '../wordnet/medical.ts';
import type { Synset } from '../wordnet/synset.ts';
import { makeFact, type Fact } from './fact.ts';
import { KIND } from './relations.ts';
import { withArticle } from './sentence.ts';

/** A kind, by a word of WordNet in its most common sense; `mass`: its members take no article. */
interface Category {
  readonly name: string;
  readonly mass: boolean;
  readonly most: number;
}

const COUNTED =
  'dog:40 fish:40 bird:60 insect:40 spider:5 snake:20 reptile:15 monkey:10 mammal:70 tree:50 ' +
  'flower:40 fruit:40 vegetable:40 tool:40 vehicle:50 boat:25 ship:30 weapon:30 building:60 ' +
  'room:40 container:60 garment:45 hat:20 shoe:20 furniture:30 drum:5 musical_instrument:35 ' +
  'toy:15 road:25 house:20 scientist:40 musician:25 artist:25 athlete:30 relative:25 ' +
  'criminal:20 ruler:15 soldier:20 book:25 coin:25 shop:20 body_part:80 machine:25 ' +
  'bridge:10 aircraft:15 bread:20 knife:10 bag:10 bed:12';
const MASS =
  'fabric:40 beverage:20 cheese:15 meat:20 sport:30 dance:20 ' +
  'emotion:50 color:35 science:35 language:50 rock:25 weather:15 spice:20 game:25';

export interface KnownKind {
  readonly synset: Synset;
  readonly word: string;
  /** With its article, where it has one. */
  readonly phrase: string;
  readonly kind: string;
}

/** The commonest nouns of every kind, each with the narrowest kind of the list. */
export function readKinds(wordnet: WordNet, medical: MedicalWords): KnownKind[] {
  const categories = [...parse(COUNTED, false), ...parse(MASS, true)];
  const found = categories
    .map((category) => {
      const synset = wordnet.senses(category.name, 'noun')[0]?.synset;
      return { category, members: synset === undefined ? [] : wordnet.below(synset) };
    })
    .sort((a, b) => a.members.length - b.members.length);
  const taken = new Set(found.map(({ category }) => category.name));
  return found.flatMap(({ category, members }) => {
    const known = members
      .map((synset) => ({ synset, word: synset.words[0]! }))
      .filter(({ synset, word }) => isPlain(wordnet, synset, word, category.name))
      .filter(({ word }) => !medical.isNamedIn(word))
      .map((member) => ({ ...member, rank: rank(wordnet, member.word, member.synset) }))
      .sort((a, b) => b.rank - a.rank)
      .filter(({ word }) => !taken.has(word) && taken.add(word))
      .slice(0, category.most);
    return known.map(({ synset, word }) => ({
      synset,
      word,
      phrase: category.mass ? word : withArticle(word),
      kind: category.name,
    }));
  });
}

export function kindFacts(kinds: readonly KnownKind[]): Fact[] {
  return kinds.map(({ word, phrase, kind }) => makeFact(KIND, { x: phrase, word, y: kind }));
}

function parse(list: string, mass: boolean): Category[] {
  return list.split(' ').map((entry) => {
    const [name, most] = entry.split(':') as [string, string];
    const word = name.replaceAll('_', ' ');
    return { name: word, mass, most: Number(most) };
  });
}

/** Plurals and masses among what is counted, and words that are better known for something else. */
const LEFT_OUT = new Set(
  (
    'cattle greens pliers machinery toast livestock beef trousers slacks shears scissors cleats ' +
    'collards vermin laundry footwear cutlery sentence complement phrase clause word cab bunk ' +
    'counter queen seed wedgie anklet wear overlord roast peacock flesh parenchyma shunt feedlot bogy starter pique underwear boxcar complexion sling fizz nude bleach'
  ).split(' '),
);

/** One short word that was met in its most common sense; only languages and cheeses are names. */
function isPlain(wordnet: WordNet, synset: Synset, word: string, kind: string): boolean {
  const name = kind === 'language' || kind === 'cheese';
  return (
    (name ? /^[A-Z][a-z]{2,11}$/ : /^[a-z]{3,12}$/).test(word) &&
    !LEFT_OUT.has(word) &&
    wordnet.isFirstSense(word, synset) &&
    wordnet.count(word, synset) > (name ? 0 : 1)
  );
}

/** How common a noun is: often met, and with many kinds or relations of its own. */
function rank(wordnet: WordNet, word: string, synset: Synset): number {
  return 4 * wordnet.count(word, synset) + synset.pointers.length - word.length / 4;
}
