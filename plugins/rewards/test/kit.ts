// Kernels with rewards, and answers to reward.
import { createTestKernel } from 'lmflow/testing';
import {
  REWARDER,
  type AnswerToReward,
  type LMFlowError,
  type Pluggable,
  type RewardSession,
  type RewardSetting,
} from '@lmflow/sdk';
import rewards from '../src/index.ts';

interface Setup {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly plugins?: readonly Pluggable[];
  readonly gold?: boolean;
}

/** Runs `work` with the rewards open. */
export async function withRewards<T>(
  settings: readonly RewardSetting[],
  work: (session: RewardSession) => Promise<T>,
  { config = {}, plugins = [], gold = false }: Setup = {},
): Promise<T> {
  const { kernel } = await createTestKernel({
    plugins: [rewards, ...plugins],
    config: { ...config, rewards: settings },
  });
  try {
    const session = await kernel.resolve(REWARDER).open({ gold });
    try {
      return await work(session);
    } finally {
      await session.dispose();
    }
  } finally {
    await kernel.close();
  }
}

/** Answers to one prompt, with what else is known of all of them. */
export function answersOf(
  texts: readonly string[],
  known: Partial<AnswerToReward> = {},
): AnswerToReward[] {
  return texts.map((answer) => ({ prompt: { prompt: 'Say something.' }, answer, ...known }));
}

/** The error that is thrown. */
export async function errorOf(work: () => Promise<unknown>): Promise<LMFlowError> {
  try {
    await work();
  } catch (cause) {
    return cause as LMFlowError;
  }
  throw new Error('nothing was thrown');
}
