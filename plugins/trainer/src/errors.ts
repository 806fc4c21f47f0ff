// The errors of the trainer, one builder each.
import {
  didYouMean,
  type LMFlowError,
  usageError,
  inputError,
  failureError,
  interruptedError,
} from '@lmflow/sdk';

const list = (names: Iterable<string>): string => [...names].join(', ');
const question = (name: string, names: readonly string[]): string => {
  // "AdamW" is nearer to adam by letters, and means adamw_torch.
  const near =
    names.find((known) => known.startsWith(name.toLowerCase())) ?? didYouMean(name, names);
  return near === undefined ? '' : `; did you mean "${near}"?`;
};

/** `optim` names no row of the table. */
export function optimizerUnknown(name: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_OPTIMIZER',
    `optim: there is no optimizer "${name}"${question(name, known)}`,
    { hint: `Choose one of ${list(known)}, or load a plugin that adds others.` },
  );
}

/** Two rows of the table have one name in `optim`. */
export function optimizerAmbiguous(name: string, rows: readonly string[]): LMFlowError {
  return usageError('LMFLOW_CONFIG_OPTIMIZER', `optim "${name}" names two rows: ${list(rows)}`, {
    hint: 'Give the optimizer of your plugin another name.',
  });
}

/** `optimArgs` does not fit the optimizer, or a training argument is set that it does not read. */
export function optimizerArgument(optim: string, what: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_OPTIMIZER_ARGUMENT', `optimArgs of ${optim}: ${what}`);
}

/** A training argument is set that the optimizer does not read. */
export function optionUnread(optim: string, name: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_OPTIMIZER_ARGUMENT',
    `${name} is set, but optim ${optim} does not read it`,
    {
      hint:
        known.length > 0
          ? `Set optimArgs of ${optim} instead: ${list(known)}.`
          : `Leave ${name} out.`,
    },
  );
}

/** The optimizer needs labels drawn from the model, and the objective has none. */
export function objectiveUnsampled(optim: string, objective: string): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_OPTIMIZER_OBJECTIVE',
    `optim ${optim} estimates curvature from labels drawn from the model, and the objective ` +
      `"${objective}" has no such labels`,
    { hint: 'Choose another optimizer, e.g. adamw_torch or lion.' },
  );
}

/** `lrSchedulerType` names no row of the table. */
export function scheduleUnknown(
  name: string,
  known: readonly string[],
  reason?: string,
): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_SCHEDULE',
    reason === undefined
      ? `lrSchedulerType: there is no schedule "${name}"${question(name, known)}`
      : `lrSchedulerType: "${name}" is not offered: ${reason}`,
    { hint: `Choose one of ${list(known)}.` },
  );
}

/** `lrSchedulerKwargs` does not fit the schedule. */
export function scheduleArgument(schedule: string, what: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_SCHEDULE_ARGUMENT', `lrSchedulerKwargs of ${schedule}: ${what}`);
}

/** Settings contradict each other. */
export function settingsConflict(what: string, hint: string): LMFlowError {
  return usageError('LMFLOW_CONFIG_CONFLICT', what, { hint });
}

/** No samples to train on. */
export function noSamples(): LMFlowError {
  return inputError('LMFLOW_NO_SAMPLES', 'there is no sample to train on', {
    hint: 'Check in the messages about the data set why all samples were dropped.',
  });
}

/** dataloaderDropLast leaves nothing. */
export function noBatches(samples: number, batchSize: number): LMFlowError {
  return inputError(
    'LMFLOW_NO_SAMPLES',
    `${samples} samples do not fill one micro-batch of ${batchSize}, and dataloaderDropLast drops what is not full`,
    { hint: 'Lower perDeviceTrainBatchSize or leave dataloaderDropLast out.' },
  );
}

/** Nothing to evaluate on. */
export function noEvaluationSamples(setting: string): LMFlowError {
  return usageError(
    'LMFLOW_NO_EVALUATION_DATA',
    `${setting} needs evaluation data, and there is none`,
    { hint: 'Name data with evalDataset, or keep a part of the data with validationSplit.' },
  );
}

/** The model has no trainable tensors. */
export function nothingToTrain(): LMFlowError {
  return usageError('LMFLOW_NOTHING_TO_TRAIN', 'the model has no trainable parameter', {
    hint: 'Load a method: the preset lora, or finetune for all weights.',
  });
}

/** outputDir is not empty, and neither resuming nor overwriting was chosen. */
export function outputNotEmpty(folder: string, checkpoint: string | undefined): LMFlowError {
  return usageError(
    'LMFLOW_OUTPUT_NOT_EMPTY',
    `outputDir ${folder} is not empty${checkpoint === undefined ? '' : ` (last checkpoint: ${checkpoint})`}`,
    {
      hint:
        'Add --resume-from-checkpoint to continue the run, add --overwrite-output-dir to ' +
        'start anew, or choose another outputDir.',
    },
  );
}

/** Another run writes to outputDir. */
export function outputBusy(
  folder: string,
  { pid, host, since }: { pid?: number; host?: string; since?: number },
  file: string,
): LMFlowError {
  const began = since === undefined ? '' : `, since ${new Date(since).toISOString()}`;
  return usageError(
    'LMFLOW_OUTPUT_BUSY',
    `outputDir ${folder} is in use by another run (process ${pid ?? '?'} on ${host ?? '?'}${began})`,
    { hint: `Wait for it, choose another outputDir, or remove ${file} if no run is left.` },
  );
}

/** resumeFromCheckpoint names a checkpoint that is not the last one. */
export function outputHasLater(
  folder: string,
  wanted: string,
  later: readonly string[],
): LMFlowError {
  return usageError(
    'LMFLOW_OUTPUT_NOT_EMPTY',
    `outputDir ${folder} has checkpoints after ${wanted}: ${later.join(', ')}`,
    {
      hint: 'Add --overwrite-output-dir to remove them, or choose another outputDir.',
    },
  );
}

/** resumeFromCheckpoint names a folder that is not a complete checkpoint. */
export function checkpointInvalid(folder: string, reason: string): LMFlowError {
  return inputError('LMFLOW_CHECKPOINT_INVALID', `cannot resume from ${folder}: ${reason}`, {
    hint: 'Choose another checkpoint.',
  });
}

/** Settings that decide the result, or the trained parameters, differ from the checkpoint's. */
export function resumeChanged(
  folder: string,
  changes: readonly string[],
  parametersFit: boolean,
): LMFlowError {
  const lines = changes.map((change) => `  ${change}`).join('\n');
  const effect = parametersFit ? '' : ', which train other parameters';
  return usageError(
    'LMFLOW_RESUME_CHANGED',
    `${folder} was made with other settings${effect}:\n${lines}`,
    {
      hint: parametersFit
        ? 'Set them back, or add --allow-config-change to continue with the new ones.'
        : 'Set them back, or start a new run in another outputDir.',
    },
  );
}

/** A checkpoint lacks a part of the state. */
export function resumeIncomplete(
  folder: string,
  what: string,
  hint = 'Load the plugin that made these parameters, which restores them in onRestore.',
): LMFlowError {
  return inputError('LMFLOW_RESUME_INCOMPLETE', `${folder}: ${what}`, { hint });
}

/** The loss or the gradient became NaN or infinite. */
export function lossNotFinite(
  what: 'loss' | 'gradient norm',
  value: number,
  step: number,
  checkpoint: string | undefined,
): LMFlowError {
  return failureError(
    'LMFLOW_LOSS_NOT_FINITE',
    `step ${step}: the ${what} is ${value}; stopped before the update (${
      checkpoint === undefined ? 'no checkpoint yet' : `last checkpoint: ${checkpoint}`
    })`,
    { hint: 'Lower learningRate or maxGradNorm, or raise warmupSteps.' },
  );
}

/** The loss gives no gradient to parameters that were declared to be trained. */
export function parametersUnreached(names: readonly string[], step: number): LMFlowError {
  const others = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return usageError(
    'LMFLOW_PARAMETERS_UNREACHED',
    `step ${step}: no gradient reaches ${list(names.slice(0, 3))}${others}; ` +
      'stopped before the update',
    { hint: 'Do not train these modules.' },
  );
}

/** What was trained holds NaN, infinity or astronomically large numbers: it is not written. */
export function parametersUnusable(
  name: string,
  value: number,
  step: number,
  checkpoint: string | undefined,
): LMFlowError {
  const last =
    checkpoint === undefined
      ? 'no checkpoint was written before'
      : `the last checkpoint is ${checkpoint}`;
  return failureError(
    'LMFLOW_PARAMETERS_UNUSABLE',
    `after step ${step} ${name} holds ${value}: the training diverged, and nothing was written`,
    { hint: `Lower learningRate or maxGradNorm, or raise warmupSteps; ${last}.` },
  );
}

/** metricForBestModel names a figure that the evaluation does not have. */
export function metricUnknown(name: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_CONFIG_METRIC',
    `metricForBestModel: the evaluation has no figure "${name}"${question(name, known)}`,
    { hint: `Choose one of ${list(known)}.` },
  );
}

/** A sample is longer than a batch can be. */
export function sampleTooLong(length: number, cap: number): LMFlowError {
  return inputError(
    'LMFLOW_SAMPLE_TOO_LONG',
    `a sample has ${length} tokens, but a batch has at most ${cap}`,
    { hint: `Set blockSize to at most ${cap}.` },
  );
}

/** The evaluation was interrupted. */
export function evaluationAborted(): LMFlowError {
  return interruptedError('LMFLOW_ABORTED', 'the evaluation was interrupted');
}

/** A column of the samples has the name of another column or of a tensor of every batch. */
export function columnNameTaken(name: string): LMFlowError {
  return usageError(
    'LMFLOW_SAMPLE_COLUMN_NAME',
    `the name of the samples' column "${name}" is taken`,
    { hint: 'Rename the column.' },
  );
}
