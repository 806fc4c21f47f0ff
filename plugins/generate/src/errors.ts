// The errors of the generate plugin, one function each. Refusals of a chat template are in
// @lmflow/plugin-chat-templates.
import {
  type LMFlowError,
  didYouMean,
  failureError,
  inputError,
  messageOf,
  usageError,
} from '@lmflow/sdk';

/** A prompt leaves no room for an answer. */
export function promptTooLong(length: number, context: number): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_PROMPT_TOO_LONG',
    `the prompt has ${length} tokens, but the context holds ${context}, answer included`,
    {
      hint: "Shorten it, or set generate.truncation to 'left' (--generate-truncation left) to cut its beginning.",
    },
  );
}

/** A prompt has no tokens, and the tokenizer has no BOS. */
export function promptEmpty(): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_PROMPT_EMPTY',
    'the prompt has no tokens, and the tokenizer has no BOS token to begin with',
    { hint: 'Write at least one word.' },
  );
}

/** A prompt has an image or another medium, and the model takes text alone. */
export function mediaRefused(type: string): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_MEDIA',
    `the prompt has a part of type "${type}", but the model reads text alone`,
    { hint: 'Use a multimodal model with the plugin for it, or leave the part out.' },
  );
}

/** An option of a generation is out of range. */
export function optionInvalid(key: string, value: unknown, expected: string): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_OPTION_INVALID',
    `${key} must be ${expected}, found ${typeof value === 'number' ? value : JSON.stringify(value)}`,
  );
}

/** Two options of a generation do not go together. */
export function optionConflict(message: string, hint: string): LMFlowError {
  return usageError('LMFLOW_GENERATE_OPTION_INVALID', message, { hint });
}

/** A request has a setting that no loaded plugin knows. */
export function settingUnknown(name: string, known: readonly string[]): LMFlowError {
  const near = didYouMean(name, known);
  const others =
    known.length > 0 ? `Use one of ${known.join(', ')}.` : 'Load the plugin that reads it.';
  return usageError(
    'LMFLOW_GENERATE_SETTING_UNKNOWN',
    `no plugin knows the request setting "${name}"`,
    { hint: near === undefined ? others : `Did you mean "${near}"?` },
  );
}

/** A request's setting for a plugin does not pass the plugin's check. */
export function settingInvalid(path: string, why: string): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_SETTING_INVALID',
    `the request setting ${path} is not valid: ${why}`,
  );
}

/** The rules of a request and the listeners of onLogits exclude every token. */
export function noTokenLeft(): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_NO_TOKEN',
    'the options of the request and the plugins that tap onLogits exclude every next token',
    { hint: 'Loosen the settings that the request has for these plugins.' },
  );
}

/** A request names an adapter that is not loaded. */
export function adapterUnknown(name: string, known: readonly string[]): LMFlowError {
  return usageError('LMFLOW_GENERATE_ADAPTER_UNKNOWN', `the model has no adapter "${name}"`, {
    hint:
      known.length > 0
        ? `Use one of ${known.join(', ')}.`
        : `Load it with --lora-adapters ${name}=FOLDER, or name it in lora.adapters.`,
  });
}

/** A stream is asked for together with beam search. */
export function streamingBeams(): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_STREAM_BEAMS',
    'beam search (numBeams > 1) cannot be streamed: the best beam is known only at the end',
    { hint: 'Call inference() instead of streamInference(), or leave numBeams out.' },
  );
}

/** The context is longer than the positions that the model learned. */
export function contextInvalid(wanted: number, longest: number): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_CONTEXT_INVALID',
    `generate.contextLength is ${wanted}, but the model has learned positions for ${longest} tokens`,
    { hint: `Set it to ${longest} or less.` },
  );
}

/** No plugin answers the hook onGenerate. */
export function nobodyDecodes(): LMFlowError {
  return failureError('LMFLOW_GENERATE_NO_SESSION', 'no plugin answered the hook onGenerate', {
    hint: 'Let the taps of onGenerate return what next() gives where they do not decode themselves.',
  });
}

/** A command needs a model, none is set, and no plugin brings one that would do. */
export function modelMissing(command: string): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_MODEL_MISSING',
    `${command} needs a model, but the option model is not set`,
    {
      hint: 'Add --model with a folder or a Hugging Face id (or default), or set model in lmflow.config.ts.',
    },
  );
}

/** `lmflow generate` has no prompt. */
export function promptMissing(): LMFlowError {
  return usageError('LMFLOW_GENERATE_PROMPT_MISSING', 'no prompt was given', {
    hint: 'Add a prompt (lmflow generate "Once upon a time") or --prompts FILE, or pipe text into the command.',
  });
}

/** A file of prompts cannot be read. */
export function promptsUnreadable(file: string, cause: unknown): LMFlowError {
  const absent = (cause as NodeJS.ErrnoException).code === 'ENOENT';
  return inputError(
    'LMFLOW_GENERATE_PROMPTS_INVALID',
    absent
      ? `there is no file ${JSON.stringify(file)} with prompts`
      : `${file}: the file cannot be read: ${messageOf(cause)}`,
    {
      cause,
      hint: absent
        ? '--prompts takes a file: write a prompt itself as lmflow generate "TEXT".'
        : 'Name a regular file, or pipe a prompt into lmflow generate.',
    },
  );
}

/** A file of prompts holds something else. */
export function promptsInvalid(file: string, what: string, cause?: unknown): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_PROMPTS_INVALID',
    `${file}: ${what}`,
    cause === undefined ? {} : { cause },
  );
}
