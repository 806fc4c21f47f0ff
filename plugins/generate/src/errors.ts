// The errors of the generate plugin, one builder each.
import { type LMFlowError, didYouMean, failureError, inputError, usageError } from '@lmflow/sdk';

/** A prompt leaves no room for an answer. */
export function promptTooLong(length: number, context: number): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_PROMPT_TOO_LONG',
    `the prompt has ${length} tokens, the model's context is ${context}`,
    {
      hint: "Shorten it, or set generate.truncation to 'left' (--generate-truncation left) to leave out its beginning.",
    },
  );
}

/** A prompt without tokens, for a tokenizer without BOS. */
export function promptEmpty(): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_PROMPT_EMPTY',
    'the prompt has no tokens, and the tokenizer has no BOS token to begin with',
    { hint: 'Give some text.' },
  );
}

/** A prompt has an image or another medium, and the model takes text alone. */
export function mediaRefused(type: string): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_MEDIA',
    `the prompt has a part of type "${type}", but the model takes text alone`,
    { hint: 'Use a multimodal model with the plugin for it, or leave the part out.' },
  );
}

/** An option of a generation is out of range. */
export function optionInvalid(key: string, value: unknown, wanted: string): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_OPTION_INVALID',
    `${key} = ${JSON.stringify(value)}: ${wanted}`,
  );
}

/** A request has a setting that no loaded plugin knows. */
export function settingUnknown(name: string, known: readonly string[]): LMFlowError {
  const near = didYouMean(name, known);
  const others = known.length > 0 ? `Known: ${known.join(', ')}.` : 'Load the plugin it is for.';
  return usageError(
    'LMFLOW_GENERATE_SETTING_UNKNOWN',
    `no plugin knows the request setting "${name}"`,
    { hint: near === undefined ? others : `Did you mean "${near}"?` },
  );
}

/** A request's setting for a plugin does not pass the plugin's check. */
export function settingInvalid(path: string, why: string): LMFlowError {
  return usageError('LMFLOW_GENERATE_SETTING_INVALID', `the request setting ${path}: ${why}`);
}

/** The rules of a request and the listeners of onLogits exclude every token. */
export function noTokenLeft(): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_NO_TOKEN',
    'no token can follow: the settings and the plugins that tap onLogits exclude all of them',
    { hint: 'Loosen the settings that they read from the request.' },
  );
}

/** A request names an adapter that was not loaded. */
export function adapterUnknown(name: string, known: readonly string[]): LMFlowError {
  return usageError('LMFLOW_GENERATE_ADAPTER_UNKNOWN', `the model has no adapter "${name}"`, {
    hint:
      known.length > 0
        ? `Known: ${known.join(', ')}.`
        : `Load it by name: --lora-adapters ${name}=FOLDER, or lora.adapters in lmflow.config.ts.`,
  });
}

/** Beam search was asked to stream. */
export function streamingBeams(): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_STREAM_BEAMS',
    'numBeams > 1 cannot be streamed: which beam wins is known at the end',
    { hint: 'Call inference(), or leave out --stream.' },
  );
}

/** A context longer than learned positions. */
export function contextInvalid(wanted: number, longest: number): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_CONTEXT_INVALID',
    `generate.contextLength = ${wanted}: the model has learned positions for ${longest} tokens`,
  );
}

/** No plugin decodes. */
export function nobodyDecodes(): LMFlowError {
  return failureError('LMFLOW_GENERATE_NO_SESSION', 'no plugin answered the hook onGenerate');
}

/** A command without a model. */
export function modelMissing(command: string): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_MODEL_MISSING',
    `${command} needs a model: "model" is not set`,
    { hint: "Say --model meta-llama/Llama-3.2-1B, or model: '...' in lmflow.config.ts." },
  );
}

/** `lmflow generate` without a prompt. */
export function promptMissing(): LMFlowError {
  return usageError(
    'LMFLOW_GENERATE_PROMPT_MISSING',
    'there is nothing to continue: no prompt was given',
    { hint: 'lmflow generate "Once upon a time", or --prompts file.txt, or pipe text into it.' },
  );
}

/** A file of prompts that cannot be read. */
export function promptsInvalid(file: string, what: string, cause?: unknown): LMFlowError {
  return inputError(
    'LMFLOW_GENERATE_PROMPTS_INVALID',
    `${file}: ${what}`,
    cause === undefined ? {} : { cause },
  );
}
