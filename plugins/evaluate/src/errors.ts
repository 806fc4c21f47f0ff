// The errors of the evaluate plugin, one builder each.
import { type LMFlowError, inputError, usageError } from '@lmflow/sdk';

/** `lmflow evaluate` lacks a setting. */
export function settingMissing(key: string, example: string): LMFlowError {
  return usageError('LMFLOW_SETTING_MISSING', `evaluate needs "${key}", which is not set`, {
    hint: `Say ${example}.`,
  });
}

/** LMFLOW_EVALUATE_EITHER: tasks and a metric of data are asked for at once. */
export function eitherTasksOrMetric(): LMFlowError {
  return usageError(
    'LMFLOW_EVALUATE_EITHER',
    'evaluate has --tasks and --metric, which is for data without a task',
    { hint: 'Say one of them.' },
  );
}

/** LMFLOW_EVALUATE_TASK_UNKNOWN: no task has this name, and no file is there. */
export function taskUnknown(name: string, known: readonly string[]): LMFlowError {
  return usageError('LMFLOW_EVALUATE_TASK_UNKNOWN', `there is no task "${name}"`, {
    hint: `Name a .json or .yaml file, or one of ${known.join(', ')}.`,
  });
}

/** LMFLOW_EVALUATE_TASK_FILE: a task file does not say what a task must say. */
export function taskInvalid(file: string, problem: string, cause?: unknown): LMFlowError {
  return inputError('LMFLOW_EVALUATE_TASK_FILE', `task ${file}: ${problem}`, {
    cause,
    hint: 'Correct the file: the README of plugin evaluate shows one.',
  });
}

/** LMFLOW_EVALUATE_RECORD: a record lacks what its task reads of it. */
export function recordUnfit(task: string, place: string, problem: string): LMFlowError {
  return inputError('LMFLOW_EVALUATE_RECORD', `${task}, ${place}: ${problem}`, {
    hint: 'Give the task data with the columns that its file names.',
  });
}

/** LMFLOW_EVALUATE_SHOTS: there are fewer examples than are asked for. */
export function tooFewShots(task: string, wanted: number, there: number): LMFlowError {
  return usageError(
    'LMFLOW_EVALUATE_SHOTS',
    `${task}: ${wanted} examples are asked for, its data has ${there}`,
    { hint: 'Lower --num-fewshot.' },
  );
}

/** LMFLOW_EVALUATE_TOKENS: the model cannot read what is to be scored. */
export function textUnfit(source: string, problem: string): LMFlowError {
  return inputError('LMFLOW_EVALUATE_TOKENS', `${source}: ${problem}`, {
    hint: 'Evaluate a model with a BOS or EOS token and more positions.',
  });
}

/** LMFLOW_EVALUATE_SIDE: what `--compare` names cannot be compared. */
export function sideUnusable(side: string, problem: string, hint?: string): LMFlowError {
  return usageError('LMFLOW_EVALUATE_SIDE', `--compare ${side}: ${problem}`, {
    hint: hint ?? 'Name models, adapters (@4bit or @8bit behind them), or folders of results.',
  });
}

/** LMFLOW_EVALUATE_DOCUMENTS: two sides of `--compare` were not asked the same. */
export function documentsDiffer(
  task: string,
  [first, other]: readonly [string, string],
  problem: string,
): LMFlowError {
  return inputError(
    'LMFLOW_EVALUATE_DOCUMENTS',
    `${task}: ${first} and ${other} cannot be compared: ${problem}`,
    { hint: 'Evaluate both on the same data, with the same --limit and --num-fewshot.' },
  );
}

/** LMFLOW_EVALUATE_RESULTS: files of an earlier evaluation cannot be read. */
export function resultsInvalid(file: string, problem: string, cause?: unknown): LMFlowError {
  return inputError('LMFLOW_EVALUATE_RESULTS', `${file}: ${problem}`, {
    cause,
    hint: 'Name results that lmflow evaluate or lm_eval --log_samples wrote.',
  });
}

/** LMFLOW_EVALUATE_BEST_METRIC: metricForBestModel is no figure of the tasks in training. */
export function bestMetricUnknown(name: string, figures: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_EVALUATE_BEST_METRIC',
    `metricForBestModel: evalTasks give no figure "${name}"`,
    { hint: `Choose one of ${figures.join(', ')}.` },
  );
}

/** LMFLOW_EVALUATE_ANSWER_TYPE: no row of ANSWER_CHECKS has this name. */
export function answerTypeUnknown(name: string, known: readonly string[]): LMFlowError {
  return usageError('LMFLOW_EVALUATE_ANSWER_TYPE', `there is no answer type "${name}"`, {
    hint: `Say one of ${known.join(', ')}.`,
  });
}

/** LMFLOW_EVALUATE_NO_QUESTIONS: data have answers to nothing, so that none can be generated. */
export function noQuestions(dataset: string): LMFlowError {
  return inputError('LMFLOW_EVALUATE_NO_QUESTIONS', `${dataset} has no questions with answers`, {
    hint: 'Give data of inputs and outputs or conversations, or measure perplexity.',
  });
}
