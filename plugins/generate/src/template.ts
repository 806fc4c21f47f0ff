// Which chat template a conversation is written with: generate.chatTemplate, else the adapter's (that of its training), else the tokenizer's own.
import { readFileSync } from 'node:fs';
import type { Model } from '@lmflow/sdk';
import { templateUnreadable } from './errors.ts';

/** Sets the configured template (source or file) on a model and its views with adapters. */
export function setTemplate(model: Model, wanted: string): void {
  const inline = /\{\{|\{%/.test(wanted);
  const source = inline ? wanted : read(wanted);
  for (const { tokenizer } of [model, ...model.adapters?.values() ?? []]) {
    tokenizer.chatTemplate = source;
    tokenizer.chatTemplateOrigin = inline ? 'configuration' : wanted;
  }
}

/** The template in force, for messages. */
export function templateName({ tokenizer: { chatTemplate, chatTemplateOrigin: origin = 'tokenizer' } }: Model): string {
  if (chatTemplate === undefined) return 'none';
  return origin === 'tokenizer' ? "the model's own" : origin;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw templateUnreadable(file, cause);
  }
}
