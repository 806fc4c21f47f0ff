// Every sentence and question, as functions of a term.
import type { Term } from './terms.ts';

type Wording = (term: Term) => string;

/** How the domain's text tells a term: each term is told in all of them. */
export const TOLD: readonly Wording[] = [
  ({ word, definition }) => `${capital(word)} is ${definition}.`,
  ({ word, definition }) => `The word ${word} means ${definition}.`,
  ({ word, definition }) => `${capital(definition)} is called ${word}.`,
  ({ word, definition }) => `By ${word} doctors mean ${definition}.`,
  ({ word, definition }) => `What doctors call ${word} is ${definition}.`,
];

/** What is asked of a word, and its answer. */
export const WHAT: readonly Wording[] = [
  ({ word }) => `What is ${word}?`,
  ({ word }) => `Tell me what ${word} is.`,
];
export const whatAnswer: Wording = ({ word, definition }) => `${capital(word)} is ${definition}.`;

/** What is asked of a definition, and its answer. */
export const WHICH: readonly Wording[] = [
  ({ definition }) => `Which word means ${definition}?`,
  ({ definition }) => `What is ${definition} called?`,
];
export const whichAnswer: Wording = ({ word }) => `${capital(word)}.`;

/** `Is hepatitis a drug?` */
export function isKind({ word }: Term, kind: string): string {
  return `Is ${word} ${kind === 'operation' ? 'an' : 'a'} ${kind}?`;
}

/** A form of question that is in no training text. */
export function vignette({ definition, kind }: Term): string {
  const verbs: Readonly<Record<string, string>> = {
    disease: 'has',
    drug: 'takes',
    operation: 'needs',
  };
  return `A patient ${verbs[kind]!} ${definition}. Which ${kind} is it?`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
