// What a round says of itself: its row of the table, and alarms of rewards that are hacked.
import { textStatistic } from '@lmflow/plugin-evaluate';
import { deviationOf, meanOf } from '@lmflow/sdk';

/** A round's figures; those that nobody measures are absent. */
export interface RoundFigures {
  readonly round: number;
  /** Mean over all answers, over the best of each prompt, over those that are trained. */
  readonly reward: number;
  readonly rewardBest: number;
  readonly rewardSelected?: number;
  /** Mean over the prompts of the standard deviation of their answers' rewards. */
  readonly rewardStd: number;
  /** Means of rewards that are not trained on, over all answers. */
  readonly gold: Readonly<Record<string, number>>;
  /** Mean reward of the evaluation prompts' answers, after the round's training. */
  readonly heldOut?: number;
  /** Mean of log policy - log start over the answers. */
  readonly kl?: number;
  /** Tokens of an answer, all and selected. */
  readonly length: number;
  readonly selectedLength?: number;
  /** Share of answers that were cut, and of prompts whose answers all have one reward. */
  readonly cut: number;
  readonly zeroStd: number;
  readonly selected: number;
  /** Different pairs of words in the selected answers. */
  readonly distinct2?: number;
}

/** An answer as figures see it. */
export interface Measured {
  readonly prompt: number;
  readonly reward: number | null;
  readonly gold: Readonly<Record<string, number | null>>;
  readonly ended: boolean;
  readonly divergence: number | undefined;
  readonly length: number;
  readonly text: string;
}

/** The figures of a round before its training. */
export function figuresOf(
  round: number,
  answers: readonly Measured[],
  selected: readonly number[],
): RoundFigures {
  const groups = new Map<number, number[]>();
  for (const { prompt, reward } of answers) {
    if (reward !== null) groups.set(prompt, [...(groups.get(prompt) ?? []), reward]);
  }
  const deviations = [...groups.values()].map(deviationOf);
  const trained = selected.map((index) => answers[index]!);
  const names = Object.keys(answers[0]?.gold ?? {});
  const divergences = answers.map(({ divergence }) => divergence);
  const distinct = trained.length > 0 ? textStatistic('distinct_2', trained.map(textOf)) : NaN;
  return {
    round,
    reward: meanOf(answers.map(({ reward }) => reward)),
    rewardBest: meanOf([...groups.values()].map((rewards) => Math.max(...rewards))),
    rewardStd: meanOf(deviations),
    gold: Object.fromEntries(
      names.map((name) => [name, meanOf(answers.map(({ gold }) => gold[name]))]),
    ),
    ...(divergences.some((one) => one !== undefined) ? { kl: meanOf(divergences) } : {}),
    length: meanOf(answers.map(({ length }) => length)),
    cut: answers.filter(({ ended }) => !ended).length / answers.length,
    zeroStd: deviations.filter((one) => one === 0).length / Math.max(1, deviations.length),
    selected: trained.length,
    ...(trained.length > 0
      ? {
          rewardSelected: meanOf(trained.map(({ reward }) => reward)),
          selectedLength: meanOf(trained.map(({ length }) => length)),
        }
      : {}),
    ...(Number.isFinite(distinct) ? { distinct2: distinct } : {}),
  };
}

const textOf = ({ text }: Measured): string => text;

/** Share of the first round's distinct-2 below which the selected answers have become alike. */
const ALIKE = 0.7;
const MOST_CUT = 0.5;
const MOST_EQUAL = 0.8;
/** Rounds in which the reward rises and gold falls. */
const APART = 3;

/** What the last round warns of. */
export function alarmsOf(rounds: readonly RoundFigures[]): readonly string[] {
  const last = rounds.at(-1)!;
  const alarms: string[] = [];
  const first = rounds[0]!.distinct2;
  if (first !== undefined && last.distinct2 !== undefined && last.distinct2 < ALIKE * first) {
    alarms.push(
      `the selected answers have become alike: distinct-2 ${last.distinct2.toFixed(3)}, in the ` +
        `first round ${first.toFixed(3)}: look for a reward that is hacked`,
    );
  }
  if (last.cut > MOST_CUT) {
    alarms.push(`${percent(last.cut)} of the answers were cut: set raft.maxNewTokens higher`);
  }
  if (last.zeroStd > MOST_EQUAL) {
    alarms.push(
      `the answers to ${percent(last.zeroStd)} of the prompts have one reward: nothing is to choose`,
    );
  }
  for (const name of Object.keys(last.gold)) {
    const recent = rounds.slice(-APART - 1);
    const moves = (of: (round: RoundFigures) => number, sign: number): boolean =>
      recent.length === APART + 1 &&
      recent.slice(1).every((round, index) => sign * (of(round) - of(recent[index]!)) > 0);
    if (moves(({ reward }) => reward, 1) && moves(({ gold }) => gold[name]!, -1)) {
      alarms.push(`the reward rises and ${name} falls, ${APART} rounds in a row: stop earlier`);
    }
  }
  return alarms;
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** Rounds since the one with the highest reward. */
export function roundsWithoutGain(rounds: readonly RoundFigures[]): number {
  const rewards = rounds.map(({ heldOut, reward }) => heldOut ?? reward);
  return rewards.length - 1 - rewards.indexOf(Math.max(...rewards));
}

/** A figure with four digits. */
export const shown = (value: number): string => String(Number(value.toPrecision(4)));

/** The rounds as a table in Markdown. */
export function roundTable(rounds: readonly RoundFigures[]): string {
  const golds = Object.keys(rounds[0]?.gold ?? {});
  const columns: readonly (readonly [string, (round: RoundFigures) => number | undefined])[] = [
    ['round', ({ round }) => round],
    ['reward', ({ reward }) => reward],
    ['best of K', ({ rewardBest }) => rewardBest],
    ['selected', ({ rewardSelected }) => rewardSelected],
    ...golds.map((name) => [name, ({ gold }: RoundFigures) => gold[name]] as const),
    ['held out', ({ heldOut }) => heldOut],
    ['KL', ({ kl }) => kl],
    ['length', ({ length }) => length],
    ['cut', ({ cut }) => cut],
    ['distinct-2', ({ distinct2 }) => distinct2],
    ['trained', ({ selected }) => selected],
  ];
  const there = columns.filter(([, of]) => rounds.some((round) => of(round) !== undefined));
  const cell = (value: number | undefined): string => (value === undefined ? '' : shown(value));
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return [
    line(there.map(([name]) => name)),
    line(there.map(() => '---')),
    ...rounds.map((round) => line(there.map(([, of]) => cell(of(round))))),
  ].join('');
}
