// Every error of chat templates, one builder each.
import { didYouMean, messageOf, type LMFlowError, inputError, usageError } from '@lmflow/sdk';

const at = (line: number | undefined): string => (line === undefined ? '' : `, line ${line}`);

/** The template is not valid Jinja. */
export function templateInvalid(
  name: string,
  line: number | undefined,
  cause: unknown,
): LMFlowError {
  return inputError(
    'LMFLOW_TEMPLATE_INVALID',
    `the chat template (${name}${at(line)}) cannot be parsed: ${messageOf(cause)}`,
    { cause },
  );
}

/** The template uses something of Jinja2 that would not print the same here. */
export function templateUnsupported(
  name: string,
  line: number | undefined,
  cause: unknown,
): LMFlowError {
  return inputError(
    'LMFLOW_TEMPLATE_UNSUPPORTED',
    `the chat template (${name}${at(line)}): ${messageOf(cause)}`,
    { cause, hint: 'Change the template, or choose another one with chatTemplate.' },
  );
}

/** The template's {% generation %} stands where it is not known what it marks. */
export function tagsHidden(name: string): LMFlowError {
  return inputError(
    'LMFLOW_TEMPLATE_TAGS_HIDDEN',
    `the chat template (${name}) has {% generation %} in a macro, a set block, a filter block or ` +
      'a recursive loop, so that what it marks has no place in the text',
    { hint: 'Move the tags to where the text is printed.' },
  );
}

/** The template took too many steps, or made too much text. */
export function templateTooMuch(
  name: string,
  line: number | undefined,
  cause: unknown,
): LMFlowError {
  return inputError(
    'LMFLOW_TEMPLATE_TOO_MUCH',
    `the chat template (${name}${at(line)}) was stopped: ${messageOf(cause)}`,
    { cause, hint: 'Look for a loop that never ends, or shorten the conversation.' },
  );
}

/** The template refused these messages (raise_exception), or failed on them. */
export function templateFailed(
  name: string,
  roles: readonly string[],
  cause: unknown,
): LMFlowError {
  return inputError(
    'LMFLOW_TEMPLATE_FAILED',
    `the chat template (${name}) cannot render a conversation of ` +
      `${roles.join(', ') || 'no messages'}: ${messageOf(cause)}`,
    { cause },
  );
}

/** A message has an image or another medium, and the template prints text alone. */
export function templateTextOnly(name: string, message: number, type: string): LMFlowError {
  return inputError(
    'LMFLOW_TEMPLATE_TEXT_ONLY',
    `messages[${message}] has a part of type "${type}", but the chat template (${name}) prints text alone`,
    { hint: 'Use the template of a multimodal model, or leave the part out.' },
  );
}

/** `chatTemplate` is neither a name nor a file. */
export function templateUnknown(name: string, known: readonly string[]): LMFlowError {
  const near = didYouMean(name, known);
  return usageError(
    'LMFLOW_DATASET_TEMPLATE_UNKNOWN',
    `chatTemplate '${name}' is neither a named template nor a file; named templates: ${known.join(', ')}`,
    {
      hint: near
        ? `Did you mean '${near}'?`
        : 'Give one of these names, or the path of a .jinja file.',
    },
  );
}

/** `chatTemplate` insists on the tokenizer's own template, and there is none. */
export function templateAbsent(): LMFlowError {
  return inputError(
    'LMFLOW_DATASET_TEMPLATE_MISSING',
    "chatTemplate is 'tokenizer', but the tokenizer has no chat template",
    { hint: "Name one, for example 'chatml', or leave chatTemplate out." },
  );
}

/** The file that `chatTemplate` names cannot be read. */
export function templateUnreadable(file: string, cause: unknown): LMFlowError {
  return inputError('LMFLOW_DATASET_UNREADABLE', `${file} could not be read: ${messageOf(cause)}`, {
    cause,
    hint: 'Check that it is a file and that you may read it.',
  });
}
