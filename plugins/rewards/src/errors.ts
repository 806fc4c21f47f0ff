// The errors of the rewards plugin, one builder each.
import {
  didYouMean,
  failureError,
  inputError,
  messageOf,
  usageError,
  type LMFlowError,
} from '@lmflow/sdk';

/** A method wants rewards, and the configuration has none to train on. */
export function rewardsMissing(gold: boolean): LMFlowError {
  return usageError(
    'LMFLOW_REWARDS_MISSING',
    gold
      ? 'the configuration names no rewards'
      : 'the configuration names no rewards to train on (gold ones are for measuring)',
    { hint: "Add rewards: ['exactMatch'], a function, or { type: 'model', model: 'rm' }." },
  );
}

/** `type` of a reward names no row of REWARDS. */
export function unknownReward(type: string, known: readonly string[]): LMFlowError {
  const meant = didYouMean(type, known);
  return usageError('LMFLOW_REWARD_UNKNOWN', `rewards: there is no reward "${type}"`, {
    hint: meant
      ? `Write "${meant}".`
      : `Choose one of ${known.join(', ')}, or load the plugin that brings it.`,
  });
}

/** A reward's options are wrong, two have one name, or one of them has no effect. */
export function rewardInvalid(name: string, what: string): LMFlowError {
  return usageError('LMFLOW_REWARD_INVALID', `rewards: "${name}": ${what}`, {
    hint: 'Correct this reward in the configuration.',
  });
}

/** A reward threw. */
export function rewardFailed(name: string, answer: string, cause: unknown): LMFlowError {
  return failureError(
    'LMFLOW_REWARD_FAILED',
    `reward "${name}" failed for ${answer}: ${messageOf(cause)}`,
    { hint: 'Mend the reward and run again; null says that it does not apply.', cause },
  );
}

/** A reward gave something else than a finite number or null. */
export function rewardValue(name: string, answer: string, value: unknown): LMFlowError {
  const shown = typeof value === 'number' ? String(value) : `${typeof value} ${String(value)}`;
  return failureError(
    'LMFLOW_REWARD_VALUE',
    `reward "${name}" gave ${shown} for ${answer}: it has to be a finite number or null`,
    { hint: 'Give null where the reward does not apply.' },
  );
}

/** A reward gave no list, or one of another length than there are answers. */
export function rewardCount(name: string, got: string, expected: string): LMFlowError {
  return failureError('LMFLOW_REWARD_COUNT', `reward "${name}" gave ${got} for ${expected}`, {
    hint: 'Give a list with a number or null for each of the completions, in their order.',
  });
}

/** A reward did not settle in its time. */
export function rewardTimeout(name: string, seconds: number, answers: string): LMFlowError {
  return failureError(
    'LMFLOW_REWARD_TIMEOUT',
    `reward "${name}" has not settled within ${seconds} s for ${answers}`,
    { hint: 'Mend the reward, or give it more seconds with timeout.' },
  );
}

/** A reward needs a column, tokens or an end of an answer that nobody gave. */
export function rewardNeeds(name: string, answers: string, what: string): LMFlowError {
  return inputError(
    'LMFLOW_REWARD_NEEDS',
    `reward "${name}" needs ${what}, which ${answers} has not`,
    { hint: 'Add it to the data, or leave the reward out.' },
  );
}

/** Running means of a checkpoint are of other rewards than the configuration's. */
export function rewardState(name: string): LMFlowError {
  return inputError(
    'LMFLOW_REWARD_STATE',
    `the running mean of reward "${name}" is in the checkpoint or in the configuration, not in both`,
    { hint: 'Resume with the rewards that the run began with.' },
  );
}

/** The check of a reward is no row of ANSWER_CHECKS. */
export function unknownCheck(name: string, check: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_REWARD_CHECK',
    `reward "${name}": there is no answer check "${check}"`,
    {
      hint:
        known.length === 0
          ? 'Load the plugin evaluate, which brings them.'
          : `Choose one of ${known.join(', ')}.`,
    },
  );
}

/** The reward model is a language model, or the adapter to score with was read by no plugin. */
export function notARewardModel(name: string, what: string): LMFlowError {
  return inputError('LMFLOW_REWARD_NOT_A_MODEL', `reward "${name}": ${what}`, {
    hint: 'Name a folder of lmflow reward-model; of an adapter, its base as model and the adapter.',
  });
}
