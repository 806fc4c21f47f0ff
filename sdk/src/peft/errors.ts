// The errors of PEFT's adapter folders, one builder each.
import { inputError, type LMFlowError } from '../errors.ts';
import { shown } from './shown-value.ts';

/** The folder of an adapter lacks a file. */
export function adapterFileMissing(file: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_NOT_FOUND', `${file}: no such file`, {
    hint: 'Name a folder with adapter_config.json and adapter_model.safetensors, as PEFT and lmflow write it.',
  });
}

/** adapter_config.json is malformed. */
export function adapterInvalid(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_INVALID', `${file}: ${what}`);
}

/** A setting of an adapter that changes what it computes, and is not understood. */
export function adapterUnsupported(
  file: string,
  key: string,
  value: unknown,
  hint = 'Load it in PEFT, merge it there (merge_and_unload), and use the model that comes out.',
): LMFlowError {
  return inputError(
    'LMFLOW_ADAPTER_UNSUPPORTED',
    `${file}: ${key} = ${shown(value)} is not supported`,
    { hint },
  );
}

/** A folder with an adapter of another program. */
export function notPeft(folder: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_UNSUPPORTED', `${folder} is no PEFT adapter: ${what}`, {
    hint: 'Convert it to PEFT ("peft_type": "LORA", adapter_model.safetensors).',
  });
}

/** An adapter's numbers are in a Python pickle. */
export function adapterPickle(file: string): LMFlowError {
  return inputError(
    'LMFLOW_ADAPTER_PICKLE',
    `${file} is a Python pickle, which is not read: it can run code when it is opened`,
    {
      hint: 'Convert it once in Python: PeftModel.from_pretrained(model, folder).save_pretrained(folder).',
    },
  );
}

/** Numbers of an adapter are NaN or infinite. */
export function adapterNotFinite(file: string, name: string, value: number): LMFlowError {
  return inputError('LMFLOW_ADAPTER_NOT_FINITE', `${file}: ${name} holds ${value}`, {
    hint: 'Use an earlier checkpoint: the training that wrote this one diverged.',
  });
}

/** The settings of an adapter name modules whose tensors its file does not have. */
export function tensorsMissing(
  file: string,
  missing: readonly string[],
  all: boolean,
): LMFlowError {
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  const what = all
    ? 'it has none of the tensors that target_modules names'
    : `tensors that target_modules names are missing: those of ${missing[0]!}${more}`;
  return inputError('LMFLOW_ADAPTER_INCOMPLETE', `${file}: ${what}`, {
    hint: 'Save the adapter again: the file was written incompletely, or its names have an unknown prefix.',
  });
}

/** An adapter was made for another model. */
export function adapterDoesNotFit(file: string, what: string): LMFlowError {
  return inputError('LMFLOW_ADAPTER_MISMATCH', `${file} does not fit the model: ${what}`, {
    hint: 'Use the base model that the adapter was trained on.',
  });
}
