// The medical part of WordNet, which the default model never reads: it belongs to
// playground/domain-adaptation, which teaches it and measures what was gained.
import type { Synset } from './synset.ts';
import type { WordNet } from './wordnet.ts';

/** What everything medical is a kind of, by what we call it: noun and number of its sense, from 0. */
const ROOTS: Readonly<Record<string, readonly [word: string, sense: number][]>> = {
  disease: [
    ['pathological state', 0],
    ['symptom', 0],
  ],
  drug: [['drug', 0]],
  operation: [['medical procedure', 0]],
};
export const MEDICAL_KINDS: readonly string[] = Object.keys(ROOTS);

/**
 * Everyday words whose most common sense as a noun is medical, and which the default model reads
 * all the same: `cold` as the opposite of hot, what `add` does. What is held out must not be one.
 */
const EVERYDAY = new Set(
  (
    'add bitter bite boil bump burn chafe cold collapse cough cure graze harm hurt ice itch scar ' +
    'scratch slash sling smart smash sob sore sour speed stout throb twitch wrench beer wine crack ' +
    'ache pain'
  ).split(' '),
);

/** The medical synsets: the kinds of pathological state, symptom, drug and medical procedure. */
export function medicalSynsets(wordnet: WordNet): Set<Synset> {
  return new Set(
    MEDICAL_KINDS.flatMap((kind) =>
      roots(wordnet, kind).flatMap((root) => [root, ...wordnet.below(root)]),
    ),
  );
}

/** Everything that is a disease, say. The roots, which name the kind, are left out. */
export function synsetsOfKind(wordnet: WordNet, kind: string): Set<Synset> {
  return new Set(roots(wordnet, kind).flatMap((root) => wordnet.below(root)));
}

function roots(wordnet: WordNet, kind: string): Synset[] {
  return ROOTS[kind]!.map(([word, sense]) => wordnet.senses(word, 'noun')[sense]!.synset);
}

/** The words whose most common sense is medical, found in texts. */
export class MedicalWords {
  /** In lower case; without the everyday ones. */
  readonly words: ReadonlySet<string>;
  readonly #longest: number;

  constructor(wordnet: WordNet) {
    const words = new Set<string>();
    for (const synset of medicalSynsets(wordnet)) {
      for (const word of synset.words) {
        const lower = word.toLowerCase();
        if (wordnet.isFirstSense(word, synset) && !EVERYDAY.has(lower)) words.add(lower);
      }
    }
    this.words = words;
    this.#longest = Math.max(...[...words].map((word) => word.split(' ').length));
  }

  /** Whether a text names one of the words, in singular or plural. */
  isNamedIn(text: string): boolean {
    const tokens = text.toLowerCase().match(/[\p{L}\p{N}'.-]*[\p{L}\p{N}]/gu) ?? [];
    return tokens.some((_, start) => {
      for (let count = 1; count <= this.#longest && start + count <= tokens.length; count++) {
        const phrase = tokens.slice(start, start + count).join(' ');
        if (singulars(phrase).some((form) => this.words.has(form))) return true;
      }
      return false;
    });
  }
}

/** A phrase and what it may be the plural of. */
function singulars(phrase: string): string[] {
  return [
    phrase,
    phrase.replace(/s$/, ''),
    phrase.replace(/es$/, ''),
    phrase.replace(/ies$/, 'y'),
    phrase.replace(/ses$/, 'sis'),
    phrase.replace(/mata$/, 'ma'),
  ];
}
