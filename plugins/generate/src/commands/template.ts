// Which chat template a conversation is written with: the one in the configuration, the adapter's (that of its training), the tokenizer's own.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, Model } from '@lmflow/sdk';
import { promptsInvalid } from '../errors.ts';

/** Sets the template in force on the model's tokenizer; gives its name for messages. */
export function settleTemplate({ tokenizer }: Model, config: Config, wanted: string | undefined): string {
  const adapter = (config as { readonly lora?: { readonly adapter?: unknown } }).lora?.adapter;
  const beside = typeof adapter === 'string' ? join(adapter, 'chat_template.jinja') : undefined;
  if (wanted !== undefined) {
    tokenizer.chatTemplate = /\{\{|\{%/.test(wanted) ? wanted : read(wanted);
    tokenizer.chatTemplateOrigin = /\{\{|\{%/.test(wanted) ? 'configuration' : wanted;
  } else if (beside !== undefined && existsSync(beside)) {
    tokenizer.chatTemplate = read(beside);
    tokenizer.chatTemplateOrigin = beside;
  }
  return tokenizer.chatTemplate === undefined ? 'none' : tokenizer.chatTemplateOrigin === 'tokenizer' ? "the model's own" : tokenizer.chatTemplateOrigin ?? "the model's own";
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw promptsInvalid(file, 'the chat template cannot be read', cause);
  }
}
