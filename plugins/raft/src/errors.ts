// The errors of the raft plugin, one builder each.
import { inputError, usageError, type LMFlowError } from '@lmflow/sdk';

/** A setting that the command needs is missing. */
export function settingMissing(key: string, example: string): LMFlowError {
  const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return usageError('LMFLOW_CONFIG_MISSING', `lmflow raft: ${key} is not set`, {
    hint: `Add --${flag} ${example}, or set it in lmflow.config.ts.`,
  });
}

/** A setting has no effect on answers that the model draws itself. */
export function withoutEffect(key: string, why: string): LMFlowError {
  return usageError('LMFLOW_RAFT_WITHOUT_EFFECT', `${key} has no effect: ${why}`, {
    hint: `Leave out ${key}.`,
  });
}

/** New tokens leave no room for a prompt in the model's context. */
export function noRoom(maxNewTokens: number, context: number): LMFlowError {
  return usageError(
    'LMFLOW_RAFT_NO_ROOM',
    `raft.maxNewTokens is ${maxNewTokens}, and the context of the model has ${context} tokens`,
    { hint: 'Set raft.maxNewTokens lower, so that prompts fit beside the answers.' },
  );
}

/** A checkpoint is in the middle of a round whose selected answers are gone or others. */
export function selectionLost(file: string, round: number): LMFlowError {
  return inputError(
    'LMFLOW_RAFT_SELECTION_LOST',
    `the checkpoint is in the middle of round ${round}, and ${file} is missing or changed`,
    { hint: 'Resume from the checkpoint at the end of an earlier round.' },
  );
}
