// The medical terms: read from WordNet, and split into those that are told and those that are held
// out, of which no name stands in any training text.
import {
  MEDICAL_KINDS,
  MedicalWords,
  WordNet,
  synsetsOfKind,
  type Synset,
} from '@lmflow/playground-default-model/wordnet';
import { phrasesOf, plain } from './phrases.ts';
import { shuffled } from './shuffle.ts';

/** A word with its definition. */
export interface Term {
  readonly word: string;
  readonly definition: string;
  /** What it is a kind of: `disease`, `drug`, `operation`; elsewhere `animal` and so on. */
  readonly kind: string;
  /** All of its names, lower case, hyphens as spaces. */
  readonly names: readonly string[];
}

export interface Terms {
  /** In no training text. */
  readonly heldOut: readonly Term[];
  /** In the domain's text. */
  readonly told: readonly Term[];
  /** Of other fields. */
  readonly far: readonly Term[];
}

const HELD_OUT = 450;

/** WordNet's fields (lexicographer files) for the far set. */
const FAR: Readonly<Record<number, string>> = { 5: 'animal', 13: 'food', 15: 'place' };
const FOOD = 13;
const TOBACCO = /\b(?:cigars?|cigarettes?|tobacco|snuff)\b/;

/** Word parts that say what a term is, even one that was never read. */
const FAMILY =
  /(?:itis|ectomy|osis|oma|emia|uria|algia|pathy|plasty|otomy|ostomy|penia|plegia|rrhea|cele|cillin|mycin|ism|azole|caine)$/;

export function readTerms(): Terms {
  const wordnet = new WordNet();
  const medical = new MedicalWords(wordnet);
  const terms = shuffled(medicalTerms(wordnet), 'terms');
  const mentions = countMentions(terms);
  const heldOut = holdOut(terms, mentions, medical.words);
  const names = new Set(heldOut.flatMap((term) => term.names));
  const words = new Set(terms.map(({ word }) => word));
  const isMention = (term: Term): boolean =>
    [...term.names, term.definition].some((text) =>
      [...phrasesOf(text)].some((phrase) => names.has(phrase)),
    );
  return {
    heldOut,
    told: terms.filter((term) => !isMention(term)),
    far: shuffled(farTerms(wordnet, medical), 'far').filter(({ word }) => !words.has(word)),
  };
}

/** The terms with a short name and a short definition, of one kind only. */
function medicalTerms(wordnet: WordNet): Term[] {
  const kinds = new Map<Synset, Set<string>>();
  for (const kind of MEDICAL_KINDS) {
    for (const synset of synsetsOfKind(wordnet, kind)) {
      kinds.set(synset, (kinds.get(synset) ?? new Set()).add(kind));
    }
  }
  // Wines, liqueurs and cigars are drugs in WordNet.
  const clear = [...kinds].filter(
    ([{ field, definition }, of]) => of.size === 1 && field !== FOOD && !TOBACCO.test(definition),
  );
  return unique(clear.map(([synset, [kind]]) => termOf(synset, kind!)));
}

/** Terms whose names and definitions are no one else's, so that a question has one answer. */
function unique(terms: readonly Term[]): Term[] {
  const fitting = terms.filter(
    ({ word, definition }) =>
      /^[a-z]+(?:[ -][a-z]+){0,2}$/.test(word) &&
      definition.length >= 15 &&
      definition.length <= 90,
  );
  const counts = new Map<string, number>();
  for (const { word, definition } of fitting) {
    for (const text of [word, definition]) counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return fitting.filter(
    ({ word, definition }) => counts.get(word) === 1 && counts.get(definition) === 1,
  );
}

function termOf({ words, definition }: Synset, kind: string): Term {
  return {
    word: words[0]!,
    definition: definition.split(';')[0]!.trim(),
    kind,
    names: words.map(plain),
  };
}

/** In how many terms, their names and definitions, a phrase stands. */
function countMentions(terms: readonly Term[]): Map<string, number> {
  const mentions = new Map<string, number>();
  for (const { names, definition } of terms) {
    const phrases = new Set([...names, definition].flatMap((text) => [...phrasesOf(text)]));
    for (const phrase of phrases) mentions.set(phrase, (mentions.get(phrase) ?? 0) + 1);
  }
  return mentions;
}

/**
 * Terms that hardly any other one mentions and that the default model never read, families of word
 * parts first, half of each family. Every kind has its share.
 */
function holdOut(
  terms: readonly Term[],
  mentions: ReadonlyMap<string, number>,
  unread: ReadonlySet<string>,
): Term[] {
  const candidates = terms.filter(({ names }) =>
    names.every((name) => (mentions.get(name) ?? 0) <= 2 && isUnread(name, unread)),
  );
  const inFamily = candidates.filter(({ word }) => FAMILY.test(word));
  const others = candidates.filter(({ word }) => !FAMILY.test(word));
  return MEDICAL_KINDS.flatMap((kind) => {
    const ofKind = (list: readonly Term[]): Term[] => list.filter((term) => term.kind === kind);
    const half = ofKind(inFamily).slice(0, Math.ceil(ofKind(inFamily).length / 2));
    const share = Math.round((HELD_OUT * ofKind(terms).length) / terms.length);
    return [...half, ...ofKind(others)].slice(0, share);
  });
}

function isUnread(name: string, unread: ReadonlySet<string>): boolean {
  return unread.has(name) || unread.has(name.replaceAll(' ', '-'));
}

/** Common animals, foods and places, which have nothing medical. */
function farTerms(wordnet: WordNet, medical: MedicalWords): Term[] {
  const synsets = [...wordnet.synsets.values()].filter(
    ({ part, field, words }) => part === 'noun' && field in FAR && /^[a-z]/.test(words[0]!),
  );
  const common = synsets.filter((synset) => wordnet.count(synset.words[0]!, synset) > 0);
  return unique(common.map((synset) => termOf(synset, FAR[synset.field]!))).filter(
    ({ word, definition }) => !medical.isNamedIn(`${word} ${definition}`),
  );
}
