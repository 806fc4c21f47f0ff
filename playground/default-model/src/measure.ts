// Asks a model's folder the questions of its card, and scores the answers.
import type { Asked } from './questions.ts';
import { ask, type Answer } from './runs.ts';

export interface Answered extends Asked, Answer {}

/** Figures of a set, as parts of 1. */
export interface Score {
  readonly questions: number;
  readonly exact: number;
  readonly ended: number;
  /** Answers in which no four words in a row come twice. */
  readonly unrepeated: number;
}

const LONGEST = 64;

export async function answer(folder: string, questions: readonly Asked[]): Promise<Answered[]> {
  const texts = questions.map(({ question }) => question);
  const answers = await ask({ model: folder }, texts, LONGEST);
  return questions.map((asked, at) => ({ ...asked, ...answers[at]! }));
}

export function score(answers: readonly Answered[]): Score {
  const part = (is: (answer: Answered) => boolean): number =>
    answers.filter(is).length / answers.length;
  return {
    questions: answers.length,
    exact: part(({ text, answer }) => text === answer),
    ended: part(({ ended }) => ended),
    unrepeated: part(({ text }) => !repeatsFourWords(text)),
  };
}

function repeatsFourWords(text: string): boolean {
  const words = text.split(/\s+/);
  const grams = words.slice(3).map((_, start) => words.slice(start, start + 4).join(' '));
  return new Set(grams).size < grams.length;
}
