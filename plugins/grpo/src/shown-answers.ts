// Some answers of a round, as the log shows them.
import { textOf, type AnswerPrompt, type Rewards, type Rollout } from '@lmflow/sdk';

/** An answer with its prompt and its reward. */
export interface ShownAnswer {
  readonly prompt: string;
  readonly answer: string;
  readonly reward: number | null;
  readonly advantage: number;
}

/** Characters of a text that are shown. */
const MOST = 200;

/** The first answers to as many prompts as there are to be shown, and then the second ones. */
export function shownAnswers(
  rollouts: readonly Rollout[],
  prompts: readonly AnswerPrompt[],
  { totals }: Rewards,
  advantages: ArrayLike<number>,
  count: number,
): ShownAnswer[] {
  return [...rollouts.keys()]
    .sort((a, b) => rollouts[a]!.index - rollouts[b]!.index || a - b)
    .slice(0, count)
    .map((place) => ({
      prompt: promptText(prompts[rollouts[place]!.prompt]!),
      answer: rollouts[place]!.text,
      reward: totals[place]!,
      advantage: advantages[place]!,
    }));
}

/** A line of the log. */
export function shownLine({ prompt, answer, reward, advantage }: ShownAnswer): string {
  const worth = reward === null ? 'none' : reward.toPrecision(4);
  return (
    `reward ${worth}  advantage ${advantage.toFixed(3)}  ` +
    `${JSON.stringify(shortened(prompt, true))} -> ${JSON.stringify(shortened(answer, false))}`
  );
}

const promptText = ({ prompt, messages }: AnswerPrompt): string =>
  prompt ?? textOf(messages?.at(-1)?.content ?? '');

/** The end of a prompt counts most, and the beginning of an answer. */
function shortened(text: string, end: boolean): string {
  if (text.length <= MOST) return text;
  return end ? `...${text.slice(-MOST)}` : `${text.slice(0, MOST)}...`;
}
