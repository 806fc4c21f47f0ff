// Every error of this plugin, one builder each: the message says what happened and where, the hint
// how to mend it.
import {
  didYouMean,
  inputError,
  messageOf,
  usageError,
  type ErrorOptions,
  type LMFlowError,
  type RecordOrigin,
} from '@lmflow/sdk';
import { shown } from './shown-value.ts';

/** `data.jsonl, line 7` or `data.json, record 3 (line 40)`. */
export function place(origin: RecordOrigin): string {
  if (origin.index === undefined) {
    return origin.line === undefined ? origin.file : `${origin.file}, line ${origin.line}`;
  }
  return `${origin.file}, record ${origin.index}${origin.line === undefined ? '' : ` (line ${origin.line})`}`;
}

/** The most names that a message lists. */
const MOST_NAMES = 20;

function listed(names: Iterable<string>): string {
  const all = [...names];
  const more = all.length > MOST_NAMES ? ` and ${all.length - MOST_NAMES} more` : '';
  return all.slice(0, MOST_NAMES).map(cutName).join(', ') + more;
}

const cutName = (name: string): string => (name.length > 80 ? `${name.slice(0, 77)}...` : name);

/** The known word that is near, as a hint. */
function suggestion(word: string, candidates: readonly string[]): string | undefined {
  const near = didYouMean(word, candidates.slice(0, 1000));
  return near === undefined ? undefined : `Did you mean '${near}'?`;
}

/** No dataset was given. */
export function missing(): LMFlowError {
  return inputError('LMFLOW_DATASET_MISSING', 'no dataset was given', {
    hint: "Set `dataset` (--dataset) to a file, a folder or a Hugging Face id, for example 'data/train.json'.",
  });
}

/** A dataset entry, or a name in the settings of the data, is not valid. */
export function setting(key: string, problem: string, hint?: string): LMFlowError {
  return usageError('LMFLOW_DATASET_SETTING', `the setting ${key} ${problem}`, { hint });
}

/** A dataset entry has a key that does not exist. */
export function entryKeyUnknown(key: string, name: string, known: readonly string[]): LMFlowError {
  return setting(
    key,
    `has the unknown key '${name}'; known keys: ${listed(known)}`,
    suggestion(name, known),
  );
}

/** A name of a format does not exist. */
export function formatNameUnknown(name: string, known: readonly string[]): LMFlowError {
  return setting(
    'format',
    `names the unknown format '${name}'; known formats: ${listed(known)}`,
    suggestion(name, known),
  );
}

/** There is nothing at the path of a dataset, and it is no Hugging Face id. */
export function notFound(path: string, neighbours: readonly string[]): LMFlowError {
  return inputError('LMFLOW_DATASET_NOT_FOUND', `there is no dataset at '${path}'`, {
    hint:
      suggestion(path, neighbours) ??
      "Give a file, a folder, or a Hugging Face id like 'owner/name'.",
  });
}

/** A file of a type that no reader knows. */
export function fileType(file: string, known: readonly string[]): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_FILE_TYPE',
    `${file} is of a type that is not read; known types: ${listed(known)} (those of text also with .gz)`,
    { hint: 'Convert it to .jsonl.' },
  );
}

/** A folder without data files. */
export function folderEmpty(
  folder: string,
  subfolders: readonly string[],
  known: readonly string[],
): LMFlowError {
  const inside = subfolders.length > 0 ? `; it has the folders ${listed(subfolders)}` : '';
  return inputError(
    'LMFLOW_DATASET_FOLDER_EMPTY',
    `the folder ${folder} holds no data files (${listed(known)})${inside}`,
    { hint: subfolders.length > 0 ? 'Name one of them.' : undefined },
  );
}

/** A folder with data files of several types. */
export function folderMixed(folder: string, types: readonly string[]): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_FOLDER_MIXED',
    `the folder ${folder} holds files of several types (${listed(types)}), but a folder is a dataset of one type`,
    { hint: 'Name the files in a list, or move them apart.' },
  );
}

/** The wanted split is not among the files. */
export function splitUnknown(where: string, split: string, found: readonly string[]): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_SPLIT_UNKNOWN',
    `${where} has no files of the split '${split}'; ` +
      `${found.length > 0 ? `it has: ${listed(found)}` : 'none of its files names a split'}`,
  );
}

/** The wanted subset is not among the files. */
export function subsetUnknown(
  where: string,
  subset: string,
  found: readonly string[],
): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_SUBSET_UNKNOWN',
    `${where} has no files of the subset '${subset}'; its files: ` +
      `${listed(found.slice(0, 8))}${found.length > 8 ? ', ...' : ''}`,
  );
}

/** A dataset without records. */
export function empty(name: string): LMFlowError {
  return inputError('LMFLOW_DATASET_EMPTY', `${name} has no records`, {
    hint: 'Check that the file was written completely, and that maxSamples or a filter leaves something.',
  });
}

/** A text file that is not UTF-8. */
export function encoding(file: string, problem: string): LMFlowError {
  return inputError('LMFLOW_DATASET_ENCODING', `${file} ${problem}`, { hint: 'Save it as UTF-8.' });
}

/** A file that cannot be read, unpacked or decoded. */
export function unreadable(file: string, cause: unknown): LMFlowError {
  return inputError('LMFLOW_DATASET_UNREADABLE', `${file} could not be read: ${messageOf(cause)}`, {
    cause,
    hint: 'Check that it is complete and that you may read it.',
  });
}

/** A path of data is a pipe, a socket or a device: data is read several times. */
export function notRegular(path: string, kind: string): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_UNREADABLE',
    `${path} could not be read: it is ${kind}, not a regular file`,
    { hint: 'Write the data to a file: it is read several times.' },
  );
}

/** A packed file unpacks to far more than data does. */
export function bomb(file: string, unpacked: number, packed: number): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_BOMB',
    `${file} unpacks to more than ${Math.floor(unpacked / packed)} times its size ` +
      `(${unpacked >>> 20} MB so far), as no text does`,
    { hint: 'Unpack it yourself if you trust it.' },
  );
}

/** A packed file says that it has more rows than bytes. */
export function rowBomb(file: string, rows: number, bytes: number): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_BOMB',
    `${file} has ${rows} rows in ${bytes} bytes, as no data has`,
    { hint: 'Write it again with the rows that it should have.' },
  );
}

/** JSON or CSV that breaks its syntax; names the line. */
export function syntax(origin: RecordOrigin, problem: string, options?: ErrorOptions): LMFlowError {
  return inputError('LMFLOW_DATASET_SYNTAX', `${place(origin)}: ${problem}`, options);
}

/** A record that is no object, or whose key is missing or has a value of the wrong type. */
export function notObject(origin: RecordOrigin, value: unknown): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_RECORD',
    `${place(origin)}: a record must be an object with named fields, this is ${shown(value)}`,
  );
}

/** A record that is no object, or whose key is missing or has a value of the wrong type. */
export function record(
  origin: RecordOrigin,
  format: string,
  problem: { readonly key: string; readonly expected: string; readonly found: unknown },
): LMFlowError {
  const { key, expected, found } = problem;
  return inputError(
    'LMFLOW_DATASET_RECORD',
    `${place(origin)}: key '${key}' must be ${expected}, found ${shown(found)} (format ${format})`,
    { hint: 'Mend the record, or map other columns to the keys of the format with `columns`.' },
  );
}

/** A format that failed on a record without saying which key is wrong. */
export function formatFailed(origin: RecordOrigin, format: string, cause: unknown): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_RECORD',
    `${place(origin)}: the format ${format} cannot read this record: ${messageOf(cause)}`,
    { cause },
  );
}

/** A message with an unknown role. */
export function role(
  origin: RecordOrigin,
  key: string,
  found: string,
  known: readonly string[],
): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_ROLE',
    `${place(origin)}: key '${key}' names the unknown role '${found}'; known roles: ${listed(known)}`,
    { hint: suggestion(found, known) },
  );
}

/** A column that `columns` names is not in the file. */
export function column(
  origin: RecordOrigin,
  key: string,
  name: string,
  found: readonly string[],
): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_COLUMN',
    `${place(origin)}: columns maps '${key}' to '${name}', but the record has no such key; it has: ${listed(found)}`,
    { hint: suggestion(name, found) },
  );
}

/** The "type" of an LMFlow file is unknown. */
export function typeUnknown(file: string, type: unknown, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_DATASET_TYPE_UNKNOWN',
    `${file}: "type" is ${shown(type)}, which is no LMFlow dataset type; known types: ${listed(known)}`,
    { hint: typeof type === 'string' ? suggestion(type, known) : undefined },
  );
}

/** The "type" of an LMFlow file is one that cannot be trained on. */
export function typeUnsupported(file: string, type: string, why: string): LMFlowError {
  return usageError(
    'LMFLOW_DATASET_TYPE_UNSUPPORTED',
    `${file}: datasets of type ${type} cannot be trained on: ${why}`,
  );
}

/** The "type" of an LMFlow file, which came last, is not what the records look like. */
export function typeMismatch(file: string, type: string, format: string): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_TYPE_MISMATCH',
    `${file}: "type" says ${type}, but it is read as ${format}`,
    { hint: `Correct "type", or set the format of this dataset to ${type}.` },
  );
}

/** No format fits the keys of the records. */
export function formatUnknown(
  origin: RecordOrigin,
  keys: readonly string[],
  formats: readonly (readonly [name: string, example: string])[],
): LMFlowError {
  const known = formats.map(([name, example]) => `${name} ${example}`).join('; ');
  return inputError(
    'LMFLOW_DATASET_FORMAT_UNKNOWN',
    `${place(origin)}: no format fits the keys of the records: ` +
      `${keys.length > 0 ? listed(keys) : '(none)'}; known formats: ${known}`,
    {
      hint:
        "Map its keys, for example `dataset: { path, format: 'prompt_completion', columns: " +
        "{ prompt: 'question', completion: 'answer' } }`.",
    },
  );
}

/** A record has an image or another medium, and the model takes text alone. */
export function media(origin: RecordOrigin, part: string, type: string): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_MEDIA',
    `${place(origin)}: key '${part}.type' is "${type}", but the model takes text alone: images ` +
      'and sound need an encoder',
    {
      hint: 'Use a multimodal model with the plugin for it, or take records with media out of the data.',
    },
  );
}

/** The chat template refuses a conversation. */
export function template(origin: RecordOrigin, name: string, cause: unknown): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_TEMPLATE',
    `${place(origin)}: the chat template (${name}) does not accept this conversation: ${messageOf(cause)}`,
    {
      cause,
      hint: 'Mend the order of the roles in the record, or choose another template with `chatTemplate`.',
    },
  );
}

/** An answer cannot be found in what the chat template made of it. */
export function spans(origin: RecordOrigin, name: string, message: number): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_SPANS',
    `${place(origin)}: message ${message} (assistant) cannot be found in what the chat ` +
      `template (${name}) prints, so it is unknown which tokens to train`,
    {
      hint:
        'Put {% generation %} ... {% endgeneration %} around the answer in the template, ' +
        'or choose another one with `chatTemplate`.',
    },
  );
}

/** Everything is to be trained, and only the last answer. */
export function trainedConflict(): LMFlowError {
  return usageError(
    'LMFLOW_DATASET_SETTING',
    'trainOnPrompt trains every token, but only the last answer of a conversation is to be ' +
      'trained (maskHistory, or the method)',
    { hint: 'Leave out trainOnPrompt or maskHistory.' },
  );
}

/** Not one token of a dataset would be trained. */
export function noTrainedTokens(name: string, facts: string): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_NO_TRAINED_TOKENS',
    `${name}: not one token would be trained (${facts})`,
    {
      hint:
        'Check that records have answers (assistant messages, outputs) and that blockSize ' +
        'reaches them, or train on everything with trainOnPrompt: true.',
    },
  );
}

/** `blockSize` is longer than the model's positions. */
export function blockSize(wanted: number, positions: number): LMFlowError {
  return usageError(
    'LMFLOW_DATASET_BLOCK_SIZE',
    `blockSize ${wanted} is longer than the model's ${positions} positions`,
    { hint: `Set blockSize to ${positions} or less, or extend the model's positions first.` },
  );
}

/** `validationSplit` cannot be taken, or stands beside `evalDataset`. */
export function splitConflict(): LMFlowError {
  return inputError('LMFLOW_DATASET_SPLIT', 'both evalDataset and validationSplit are set', {
    hint: 'Keep one of them: data to evaluate on, or a part of `dataset`.',
  });
}

/** `validationSplit` cannot be taken, or stands beside `evalDataset`. */
export function splitTooSmall(name: string, records: number, wanted: number): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_SPLIT',
    `validationSplit ${wanted} cannot be taken from ${name}: ${records} ` +
      `record${records === 1 ? '' : 's'} must give at least one to each side`,
    { hint: 'Use a smaller split, more data, or evalDataset.' },
  );
}

/** A repository of the Hugging Face hub has nothing to read, or leaves a choice open. */
export function hub(id: string, problem: string): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_HUB',
    `the dataset ${id} of the Hugging Face hub cannot be read: ${problem}`,
  );
}
