// The errors of tokenizers, one builder each.
import { type LMFlowError, failureError, inputError } from '@lmflow/sdk';

/** The folder has no tokenizer.json. */
export function tokenizerMissing(folder: string, found: readonly string[]): LMFlowError {
  const instead = found.length > 0 ? ` (it has ${found.join(', ')}, which are not read)` : '';
  return inputError('LMFLOW_TOKENIZER_MISSING', `${folder} has no tokenizer.json${instead}`, {
    hint:
      `Copy tokenizer.json and tokenizer_config.json from the original model, or convert it with Python: ` +
      `from transformers import AutoTokenizer as T; ` +
      `T.from_pretrained("${folder}", use_fast=True).save_pretrained("${folder}")`,
  });
}

/** tokenizer.json, or what its neighbours say about it, cannot be used. */
export function tokenizerInvalid(file: string, what: string, cause?: unknown): LMFlowError {
  return inputError('LMFLOW_TOKENIZER_INVALID', `${file}: ${what}`, { cause });
}

/** The library of tokenizer.json ended its process, which nothing else is lost by. */
export function tokenizerCrashed(file: string, doing: string, detail: string): LMFlowError {
  return inputError('LMFLOW_TOKENIZER_CRASHED', `${file}: ${doing} failed: ${detail}`, {
    hint: 'Check its regular expressions (normalizer, pre_tokenizer, decoder), or take the original tokenizer.',
  });
}

/** Tokenizing took longer than a minute and was given up. */
export function tokenizerSlow(file: string, doing: string): LMFlowError {
  return inputError('LMFLOW_TOKENIZER_SLOW', `${file}: ${doing} takes longer than a minute`, {
    hint: 'Cut the text into shorter ones.',
  });
}

/** Special tokens that messages have in them cannot be told from the template's own. */
export function specialTokensOnly(file: string, why: string): LMFlowError {
  return inputError(
    'LMFLOW_TOKENIZER_SPECIAL_TEXT',
    `a message has a special token in it, which this tokenizer cannot read as text: ${file}: ${why}`,
    { hint: 'Take it out of the message, or set specialTokensInText to read it as a token.' },
  );
}

/** The process that tokenizes cannot be started. */
export function tokenizerNotStarted(file: string, detail: string): LMFlowError {
  return failureError(
    'LMFLOW_TOKENIZER_NOT_STARTED',
    `${file}: the process that tokenizes cannot be started: ${detail}`,
    { hint: 'Let this program start Node.js, and free some memory.' },
  );
}

/** The tokenizer has ids for which the model has no embedding. */
export function tokenizerTooLarge(
  file: string,
  tokens: number,
  config: string,
  rows: number,
): LMFlowError {
  return inputError(
    'LMFLOW_TOKENIZER_TOO_LARGE',
    `${file} has token ids up to ${tokens - 1}, but ${config} has vocab_size ${rows}: ` +
      `${tokens - rows} tokens have no embedding`,
    { hint: 'Take the tokenizer of this model, or resize the embedding for the added tokens.' },
  );
}

/** A chat needs a template, and there is none. */
export function templateMissing(named: readonly string[]): LMFlowError {
  return inputError(
    'LMFLOW_TEMPLATE_MISSING',
    named.length > 0
      ? `the tokenizer has chat templates named ${named.join(', ')}, but none named "default"`
      : 'the tokenizer has no chat template',
    {
      hint: 'Set --chat-template (chatTemplate) to a name such as chatml, or to a .jinja file.',
    },
  );
}
