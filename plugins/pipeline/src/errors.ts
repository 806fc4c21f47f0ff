// The errors of the pipeline plugin, one builder each.
import {
  didYouMean,
  failureError,
  inputError,
  isLMFlowError,
  LMFlowError,
  messageOf,
  usageError,
} from '@lmflow/sdk';

/** The configuration has no stages, or `--from` names none of them. */
export function stagesMissing(what: string, hint: string): LMFlowError {
  return usageError('LMFLOW_PIPELINE_STAGES', what, { hint });
}

/** A stage or loop of the configuration is wrong. */
export function stageInvalid(name: string, what: string): LMFlowError {
  return usageError('LMFLOW_PIPELINE_STAGE', `pipeline, stage "${name}": ${what}`, {
    hint: 'Correct this stage in the configuration.',
  });
}

/** `${...}` in a stage is no stage before it. */
export function unknownReference(
  stage: string,
  reference: string,
  known: readonly string[],
): LMFlowError {
  const meant = didYouMean(reference, known);
  return usageError(
    'LMFLOW_PIPELINE_REFERENCE',
    `pipeline, stage "${stage}": nothing before it is called "${reference}"`,
    { hint: meant ? `Write \${${meant}}.` : `Name one of ${known.join(', ')}.` },
  );
}

/** A stage reads what a stage makes that has not run: it was left out by its condition. */
export function notMade(stage: string, reference: string): LMFlowError {
  return usageError(
    'LMFLOW_PIPELINE_NOT_MADE',
    `pipeline, stage "${stage}" reads \${${reference}}, which has not run`,
    { hint: `Say what it reads then: \${${reference}:-path}.` },
  );
}

/** The folder of a stage has files, and no record says that they are a stage's. */
export function folderTaken(stage: string, folder: string): LMFlowError {
  return inputError(
    'LMFLOW_PIPELINE_FOLDER',
    `pipeline, stage "${stage}": ${folder} has files that are no stage's`,
    { hint: 'Move them away, or choose another pipeline.folder.' },
  );
}

/** A file of a condition cannot be read, or has no such value. */
export function conditionUnreadable(stage: string, what: string, cause?: unknown): LMFlowError {
  return inputError('LMFLOW_PIPELINE_CONDITION', `pipeline, stage "${stage}": ${what}`, {
    hint: 'Correct the condition, or what should have made the file.',
    cause,
  });
}

/** A file or folder that a stage reads is not there. */
export function inputMissing(stage: string, path: string): LMFlowError {
  return inputError(
    'LMFLOW_PIPELINE_INPUT',
    `pipeline, stage "${stage}": its input ${path} is not there`,
    { hint: 'Make it, or correct the path.' },
  );
}

/** A stage ended without a file that it has to make, or with an exit code. */
export function stageFailed(stage: string, what: string): LMFlowError {
  return failureError('LMFLOW_PIPELINE_FAILED', `pipeline, stage "${stage}": ${what}`, {
    hint: 'Mend it and run the pipeline again: it goes on at this stage.',
  });
}

/** What a stage threw, with its name in front; code and kind stay. */
export function inStage(stage: string, cause: unknown): Error {
  if (!isLMFlowError(cause)) return stageFailed(stage, messageOf(cause));
  const { kind, code, message, hint } = cause;
  return new LMFlowError(kind, code as `LMFLOW_${string}`, `stage "${stage}": ${message}`, {
    hint,
    cause,
  });
}
