// A round's answers with their rewards as samples to train: advantages, log-probabilities by the policy
// that wrote them and by the reference, and what the log says of the round.
import {
  answerRow,
  meanOf,
  rewardFigures,
  type Rewards,
  type Sample,
  type ScoringSession,
} from '@lmflow/sdk';
import {
  groupAdvantages,
  leaveOneOut,
  separateAdvantages,
  type Advantages,
  type Reward,
} from './advantages.ts';
import { sampleOf } from './columns.ts';
import { ANSWER_LOSSES } from './losses.ts';
import type { GrpoSettings } from './settings.ts';

/** An answer of a round. */
export interface RoundAnswer {
  /** Tokens of the prompt. */
  readonly prompt: Int32Array;
  /** Tokens of the answer, its end token included where it has one. */
  readonly ids: Int32Array;
  /** Whether it ended by itself, and was not cut. */
  readonly ended: boolean;
  /** Log-probabilities of its tokens as the sampler computed them. */
  readonly sampled?: ArrayLike<number>;
}

/** How a round becomes samples. */
export interface ExperienceRequest {
  readonly settings: GrpoSettings;
  readonly temperature: number;
  readonly maskTruncated: boolean;
  /** Whether the policy changes while the round is trained, so that its log-probabilities are kept. */
  readonly stale: boolean;
  /** Scores by the policy as it is now. */
  readonly policy: Pick<ScoringSession, 'score'>;
  /** Scores by the reference, where they are computed once for a round. */
  readonly reference: Pick<ScoringSession, 'score'> | undefined;
  readonly signal?: AbortSignal;
}

/** A round, ready to be trained. */
export interface Experience {
  /** One for each answer, in order. */
  readonly samples: readonly Sample[];
  readonly advantages: Float64Array;
  readonly figures: Readonly<Record<string, number>>;
}

/** The samples of a round: groups of answers to one prompt after each other. */
export async function experienceOf(
  answers: readonly RoundAnswer[],
  rewards: Rewards,
  request: ExperienceRequest,
): Promise<Experience> {
  const { settings, maskTruncated } = request;
  const row = ANSWER_LOSSES[settings.numbers.lossType];
  const penalised = row.penalised === true && request.reference !== undefined;
  const masked = answers.map(({ ended }) => maskTruncated && !ended);
  const needed = answers.filter((_, index) => !masked[index]);
  const scored = async (session: Pick<ScoringSession, 'score'>): Promise<Scores> =>
    scoresOf(needed, session, request);
  const old = request.stale || penalised ? await scored(request.policy) : undefined;
  const reference = request.reference ? await scored(request.reference) : undefined;
  const penalty = penalised ? divergences(answers, old!, reference!) : undefined;
  const { advantages, zeroStd } = advantagesOf(rewards, settings, penalty);
  const size = settings.numGenerations;
  return {
    advantages,
    samples: answers.map((answer, index) =>
      sampleOf({
        prompt: answer.prompt,
        answer: answer.ids,
        advantage: advantages[index]!,
        masked: masked[index]!,
        logProbs: {
          old: request.stale ? (old!.get(answer) ?? zeros(answer)) : undefined,
          reference:
            reference && !row.penalised ? (reference.get(answer) ?? zeros(answer)) : undefined,
          sampled: answer.sampled,
        },
        place: { sample: Math.floor(index / size), member: index % size },
      }),
    ),
    figures: {
      ...rewardFigures(rewards),
      frac_reward_zero_std: zeroStd,
      ...lengthFigures(answers),
      ...(penalty ? { kl: total(penalty) / Math.max(1, tokensOf(needed)) } : {}),
    },
  };
}

type Scores = ReadonlyMap<RoundAnswer, Float64Array>;

const zeros = ({ ids }: RoundAnswer): Float64Array => new Float64Array(ids.length);
const total = (numbers: Float64Array): number => numbers.reduce((sum, value) => sum + value, 0);
const tokensOf = (answers: readonly RoundAnswer[]): number =>
  answers.reduce((sum, { ids }) => sum + ids.length, 0);

async function scoresOf(
  answers: readonly RoundAnswer[],
  session: Pick<ScoringSession, 'score'>,
  { temperature, signal }: ExperienceRequest,
): Promise<Scores> {
  const rows = answers.map(({ prompt, ids }) => answerRow(prompt, ids));
  const found = await session.score(rows, { temperature, ...(signal ? { signal } : {}) });
  return new Map(answers.map((answer, index) => [answer, found[index]!.logprobs]));
}

/** Sums of log policy - log reference over each answer; 0 where it is masked. */
function divergences(
  answers: readonly RoundAnswer[],
  old: Scores,
  reference: Scores,
): Float64Array {
  return Float64Array.from(answers, (answer) => {
    const known = reference.get(answer);
    return known ? total(old.get(answer)!) - total(known) : 0;
  });
}

function advantagesOf(
  { totals, rewards }: Rewards,
  { advantages: how, numGenerations, numbers }: GrpoSettings,
  penalty: Float64Array | undefined,
): Advantages {
  if (how.separate) {
    const trained = rewards.filter(({ gold }) => !gold);
    return separateAdvantages(
      totals.map((_, index) => trained.map(({ values }) => values[index]!)),
      trained.map(({ weight }) => weight),
      numGenerations,
    );
  }
  const counted = totals.map((reward, index): Reward =>
    reward === null || !penalty ? reward : reward - numbers.beta * penalty[index]!,
  );
  return how.baseline === 'others'
    ? leaveOneOut(counted, numGenerations, { normalise: how.normalise })
    : groupAdvantages(counted, numGenerations, how.scaling);
}

/** How long answers are, and how many were cut. */
export function lengthFigures(
  answers: readonly Pick<RoundAnswer, 'ids' | 'ended'>[],
): Record<string, number> {
  const of = (name: string, lengths: readonly number[]): Record<string, number> => ({
    [`completions/mean_${name}`]: meanOf(lengths),
    [`completions/min_${name}`]: Math.min(...lengths),
    [`completions/max_${name}`]: Math.max(...lengths),
  });
  const lengths = answers.map(({ ids }) => ids.length);
  const ended = answers.filter((answer) => answer.ended).map(({ ids }) => ids.length);
  return {
    ...of('length', lengths),
    'completions/clipped_ratio': 1 - ended.length / answers.length,
    ...of('terminated_length', ended.length > 0 ? ended : [0]),
  };
}
