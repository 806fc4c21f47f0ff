// Every error this plugin raises, one builder each: what happened, where, how to mend it.
import {
  didYouMean,
  messageOf,
  type RecordOrigin,
  type LMFlowError,
  inputError,
  usageError,
} from '@lmflow/sdk';

/** `data.jsonl, line 7` or `data.json, record 3 (line 40)`. */
export function place(origin: RecordOrigin): string {
  if (origin.index === undefined) {
    return origin.line === undefined ? origin.file : `${origin.file}, line ${origin.line}`;
  }
  return `${origin.file}, record ${origin.index}${origin.line === undefined ? '' : ` (line ${origin.line})`}`;
}

/** How a value looks in a message. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = Array.isArray(value)
    ? `a list of ${value.length}`
    : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

const quoted = (names: Iterable<string>): string => [...names].join(', ');
const suggestion = (word: string, candidates: readonly string[]): string => {
  const near = didYouMean(word, candidates);
  return near ? ` Did you mean '${near}'?` : '';
};

/** No dataset was given. */
export const missing = (): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_MISSING',
    "No dataset was given. Set `dataset` (or --dataset) to a file, a folder or a Hugging Face id, for example 'data/train.json'.",
  );

/** A dataset entry, or a name in the settings of the data, is not valid. */
export const setting = (key: string, problem: string): LMFlowError =>
  usageError('LMFLOW_DATASET_SETTING', `The setting ${key} ${problem}`);

/** There is nothing at the path of a dataset, and it is no Hugging Face id. */
export const notFound = (path: string, neighbours: readonly string[]): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_NOT_FOUND',
    `There is no dataset at '${path}'.${suggestion(path, neighbours)} Give a file, a folder, or a Hugging Face id like 'owner/name'.`,
  );

/** A file of a type that no reader knows. */
export const fileType = (file: string, known: readonly string[]): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_FILE_TYPE',
    `${file} is of a type that is not read. Known types: ${quoted(known)} (those of text also with .gz). Convert it to .jsonl.`,
  );

/** A folder without data files. */
export const folderEmpty = (
  folder: string,
  subfolders: readonly string[],
  known: readonly string[],
): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_FOLDER_EMPTY',
    `The folder ${folder} holds no data files (${quoted(known)}).${subfolders.length > 0 ? ` It has folders: ${quoted(subfolders)}. Name one of them.` : ''}`,
  );

/** A folder with data files of several types. */
export const folderMixed = (folder: string, types: readonly string[]): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_FOLDER_MIXED',
    `The folder ${folder} holds files of several types (${quoted(types)}); a folder is one dataset of one type. Name the files in a list instead, or move them apart.`,
  );

/** The wanted split is not among the files. */
export const splitUnknown = (where: string, split: string, found: readonly string[]): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_SPLIT_UNKNOWN',
    `${where} has no files of the split '${split}'. ${found.length > 0 ? `It has: ${quoted(found)}.` : 'None of its files names a split.'}`,
  );

/** The wanted subset is not among the files. */
export const subsetUnknown = (
  where: string,
  subset: string,
  found: readonly string[],
): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_SUBSET_UNKNOWN',
    `${where} has no files of the subset '${subset}'. Its files: ${quoted(found.slice(0, 8))}${found.length > 8 ? ', ...' : ''}.`,
  );

/** A dataset without records. */
export const empty = (name: string): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_EMPTY',
    `${name} has no records. Check that the file was written completely and that maxSamples or a filter does not leave nothing.`,
  );

/** A text file that is not UTF-8. */
export const encoding = (file: string, problem: string): LMFlowError =>
  inputError('LMFLOW_DATASET_ENCODING', `${file} ${problem}. Save it as UTF-8.`);

/** A file that cannot be read, unpacked or decoded. */
export const unreadable = (file: string, cause: unknown): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_UNREADABLE',
    `${file} could not be read: ${messageOf(cause)}. Check that it is complete and that you may read it.`,
    { cause },
  );

/** JSON or CSV that breaks its syntax; names the line. */
export const syntax = (origin: RecordOrigin, problem: string, cause?: unknown): LMFlowError =>
  inputError('LMFLOW_DATASET_SYNTAX', `${place(origin)}: ${problem}`, { cause });

/** A record that is no object, or whose key is missing or has a value of the wrong type. */
export const notObject = (origin: RecordOrigin, value: unknown): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_RECORD',
    `${place(origin)}: a record must be an object with named fields, this is ${shown(value)}.`,
  );

/** A record that is no object, or whose key is missing or has a value of the wrong type. */
export const record = (
  origin: RecordOrigin,
  format: string,
  key: string,
  expected: string,
  found: unknown,
): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_RECORD',
    `${place(origin)}: key '${key}' must be ${expected}, found ${shown(found)} (format ${format}).`,
    {
      hint: 'Mend the record, or map other columns to the keys of the format with `columns`.',
    },
  );

/** A format that failed on a record without saying which key is wrong. */
export const formatFailed = (origin: RecordOrigin, format: string, cause: unknown): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_RECORD',
    `${place(origin)}: the format ${format} cannot read this record: ${messageOf(cause)}`,
    { cause },
  );

/** A message with an unknown role. */
export const role = (
  origin: RecordOrigin,
  key: string,
  found: string,
  known: readonly string[],
): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_ROLE',
    `${place(origin)}: key '${key}' names the role '${found}', which is unknown.${suggestion(found, known)} Known roles: ${quoted(known)}.`,
  );

/** A column that `columns` names is not in the file. */
export const column = (
  origin: RecordOrigin,
  key: string,
  name: string,
  found: readonly string[],
): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_COLUMN',
    `${place(origin)}: columns maps '${key}' to '${name}', but the record has no such key.${suggestion(name, found)} It has: ${quoted(found)}.`,
  );

/** The "type" of an LMFlow file is unknown. */
export const typeUnknown = (file: string, type: unknown, known: readonly string[]): LMFlowError =>
  usageError(
    'LMFLOW_DATASET_TYPE_UNKNOWN',
    `${file}: "type" is ${shown(type)}, which is no LMFlow dataset type.${typeof type === 'string' ? suggestion(type, known) : ''} Known types: ${quoted(known)}.`,
  );

/** The "type" of an LMFlow file is one that cannot be trained on. */
export const typeUnsupported = (file: string, type: string, why: string): LMFlowError =>
  usageError(
    'LMFLOW_DATASET_TYPE_UNSUPPORTED',
    `${file}: datasets of type ${type} cannot be trained on: ${why}.`,
  );

/** The "type" of an LMFlow file, which came last, is not what the records look like. */
export const typeMismatch = (file: string, type: string, format: string): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_TYPE_MISMATCH',
    `${file}: "type" says ${type}, but it is read as ${format}. Correct "type", or set the format of this dataset to ${type}.`,
  );

/** No format fits the keys of the first record. */
export const formatUnknown = (
  origin: RecordOrigin,
  keys: readonly string[],
  formats: readonly (readonly [string, string])[],
): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_FORMAT_UNKNOWN',
    `${place(origin)}: the format was not recognised; the record has the keys ${keys.length > 0 ? quoted(keys) : '(none)'}. Known formats: ${formats.map(([name, example]) => `${name} ${example}`).join('; ')}.`,
    {
      hint: "Map its keys, for example `dataset: { path, format: 'prompt_completion', columns: { prompt: 'question', completion: 'answer' } }`.",
    },
  );

/** Preference pairs were given where records with one answer are needed. */
export const preference = (name: string): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_PREFERENCE',
    `${name} holds preference pairs (chosen and rejected answers), which finetuning cannot learn from. Use it with a preference method (DPO, reward modelling), or give a dataset with one answer per record.`,
  );

/** A record has an image or another medium, and the model takes text alone. */
export const media = (origin: RecordOrigin, part: string, type: string): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_MEDIA',
    `${place(origin)}: key '${part}.type' is "${type}", but the model takes text alone: images and sound need an encoder.`,
    {
      hint: 'Use a multimodal model with the plugin for it, or take records with media out of the data.',
    },
  );

/** The chat template refuses a conversation. */
export const template = (origin: RecordOrigin, name: string, cause: unknown): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_TEMPLATE',
    `${place(origin)}: the chat template (${name}) does not accept this conversation: ${messageOf(cause)}`,
    {
      cause,
      hint: 'Mend the order of the roles in the record, or choose another template with `chatTemplate`.',
    },
  );

/** An answer cannot be found in what the chat template made of it. */
export const spans = (origin: RecordOrigin, name: string, message: number): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_SPANS',
    `${place(origin)}: message ${message} (assistant) could not be found in what the chat template (${name}) made of it, so it is unknown which tokens to train.`,
    {
      hint: 'Put {% generation %} ... {% endgeneration %} around the answer in the template, or choose another one with `chatTemplate`.',
    },
  );

/** Everything is to be trained, and only the last answer. */
export const trainedConflict = (): LMFlowError =>
  usageError(
    'LMFLOW_DATASET_SETTING',
    'trainOnPrompt: true trains every token, but only the last answer of a conversation is to be trained (maskHistory, or the method).',
    { hint: 'Leave out trainOnPrompt or maskHistory.' },
  );

/** Not one token of a dataset would be trained. */
export const noTrainedTokens = (name: string, facts: string): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_NO_TRAINED_TOKENS',
    `${name}: not one token would be trained (${facts}). Check that records have answers (assistant messages, outputs) and that blockSize is long enough to reach them; trainOnPrompt: true trains on everything.`,
  );

/** `blockSize` is longer than the model's positions. */
export const blockSize = (wanted: number, positions: number): LMFlowError =>
  usageError(
    'LMFLOW_DATASET_BLOCK_SIZE',
    `blockSize ${wanted} is longer than the model's ${positions} positions. Set blockSize to ${positions} or less, or extend the model's positions first.`,
  );

/** `validationSplit` cannot be taken, or stands beside `evalDataset`. */
export const splitConflict = (): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_SPLIT',
    'Both evalDataset and validationSplit are set. Keep one: a dataset of its own, or a part of `dataset`.',
  );

/** `validationSplit` cannot be taken, or stands beside `evalDataset`. */
export const splitTooSmall = (name: string, records: number, wanted: number): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_SPLIT',
    `validationSplit ${wanted} cannot be taken from ${name}: ${records} record${records === 1 ? '' : 's'} must give at least one to each side. Use a smaller split, more data, or evalDataset.`,
  );

/** A repository of the Hugging Face hub has nothing to read, or leaves a choice open. */
export const hub = (id: string, problem: string): LMFlowError =>
  inputError(
    'LMFLOW_DATASET_HUB',
    `The dataset ${id} of the Hugging Face hub cannot be read: ${problem}`,
  );
