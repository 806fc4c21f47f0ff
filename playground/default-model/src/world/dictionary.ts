// Definitions and example sentences of common words, as plain text; nothing medical.
import type { MedicalWords } from '../wordnet/medical.ts';
import type { PartOfSpeech, Synset } from '../wordnet/synset.ts';
import type { WordNet } from '../wordnet/wordnet.ts';
import { capital, withArticle } from './sentence.ts';

const LONGEST = 80;

/** `A lynx is a short-tailed wildcat with usually tufted ears.` */
export function definitions(wordnet: WordNet, medical: MedicalWords): string[] {
  return common(wordnet, ['noun', 'verb', 'adj'])
    .filter(({ synset }) => synset.definition.length <= LONGEST && synset.field !== 18)
    .map(({ word, synset }) => defined(word, synset))
    .filter((text) => !medical.isNamedIn(text));
}

/** Example sentences that are whole sentences. */
export function examples(wordnet: WordNet, medical: MedicalWords): string[] {
  return common(wordnet, ['noun', 'verb', 'adj', 'adv'])
    .flatMap(({ synset }) => synset.examples)
    .map((text) => capital(text.trim()))
    .filter((text) => /^(?:The|He|She|It|They|I|We|You|His|Her|This|That|There)\b/.test(text))
    .filter((text) => text.length <= LONGEST && !medical.isNamedIn(text))
    .map((text) => (/[.!?]$/.test(text) ? text : `${text}.`));
}

/** Synsets whose first word is met, in this sense. */
function common(wordnet: WordNet, parts: PartOfSpeech[]): { word: string; synset: Synset }[] {
  return [...wordnet.synsets.values()]
    .filter(({ part }) => parts.includes(part))
    .map((synset) => ({ word: synset.words[0]!, synset }))
    .filter(({ word, synset }) => /^[a-z]+$/.test(word) && wordnet.count(word, synset) > 0);
}

function defined(word: string, { part, definition }: Synset): string {
  if (part === 'verb') return `To ${word} is to ${definition}.`;
  if (part === 'adj') return `The word ${word} means ${definition}.`;
  const determined =
    /^(?:an?|the|any|one|some|all|each|either|several|two|three|some\w+|that|what|of|in)\b/.test(
      definition,
    );
  const subject = definition.startsWith('the ') ? word : withArticle(word);
  return `${capital(subject)} is ${determined ? definition : withArticle(definition)}.`;
}
