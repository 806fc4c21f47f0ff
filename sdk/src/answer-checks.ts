// Whether a text that a model wrote gives the right answer: evaluation and rewards ask the same table.
import { registry } from './registry.ts';

/** A way to read an answer out of a text and to compare it with the right one. */
export interface AnswerCheck {
  readonly name: string;
  /** What counts as an answer, for messages. */
  readonly description: string;
  /** The answer that a text gives; undefined where it gives none. */
  extract(text: string): string | undefined;
  /** Whether an extracted answer is the right one, which is as data have it: also a whole solution. */
  matches(answer: string, right: string): boolean;
}

/** Checks of answers, by the names that tasks and rewards choose from. */
export const ANSWER_CHECKS = registry<AnswerCheck>(
  'answer-checks',
  'answer check',
  '@lmflow/plugin-evaluate',
);

/** Whether a text gives the right answer, or one of several. */
export function isRightAnswer(
  check: AnswerCheck,
  text: string,
  right: string | readonly string[],
): boolean {
  const answer = check.extract(text);
  if (answer === undefined) return false;
  return [right].flat().some((one) => check.matches(answer, one));
}
