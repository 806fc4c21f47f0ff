// Answers as rewards see them, and as messages name them.
import type { AnswerToReward, RewardInput } from '@lmflow/sdk';

const SHOWN = 60;

/** The lists that a reward gets. */
export function inputOf(
  answers: readonly AnswerToReward[],
  { step, signal }: Pick<RewardInput, 'step' | 'signal'>,
): RewardInput {
  const names = new Set(answers.flatMap(({ columns = {} }) => Object.keys(columns)));
  const columns = [...names].map((name) => [name, answers.map((one) => one.columns?.[name])]);
  return {
    prompts: answers.map(({ prompt }) => prompt.messages ?? prompt.prompt),
    completions: answers.map(({ answer }) => answer),
    completionIds: answers.map(({ ids }) => ids),
    ended: answers.map(({ ended }) => ended),
    columns: Object.fromEntries(columns) as RewardInput['columns'],
    step,
    signal,
  };
}

/** `answer 3 ("It is 4." to "What is 2 + 2?")`. */
export function shownAnswer(answers: readonly AnswerToReward[], index: number): string {
  const { name = `answer ${index + 1}`, prompt, answer } = answers[index]!;
  const asked = prompt.messages?.at(-1)?.content ?? prompt.prompt ?? '';
  const text = typeof asked === 'string' ? asked : JSON.stringify(asked);
  return `${name} (${shown(answer)} to ${shown(text)})`;
}

/** `8 answers, from answer 1 (...) on`: those from `from` to before `to`. */
export function shownAnswers(
  answers: readonly AnswerToReward[],
  from = 0,
  to = answers.length,
): string {
  if (to - from === 1) return shownAnswer(answers, from);
  return `${to - from} answers, from ${shownAnswer(answers, from)} on`;
}

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text);
}
