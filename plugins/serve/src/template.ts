// Which chat template conversations are written with, as `lmflow chat` has it: generate.chatTemplate, else the adapter's, else the tokenizer's own.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, Model } from '@lmflow/sdk';
import { templateUnreadable } from './errors.ts';

/** Sets the template in force on the model's tokenizer. Throws LMFLOW_SERVE_TEMPLATE where its file cannot be read. */
export function settleTemplate({ tokenizer }: Model, config: Config): void {
  const { generate, lora } = config as { generate?: { chatTemplate?: unknown }; lora?: { adapter?: unknown } };
  const wanted = generate?.chatTemplate;
  const beside = typeof lora?.adapter === 'string' ? join(lora.adapter, 'chat_template.jinja') : undefined;
  if (typeof wanted === 'string') set(tokenizer, /\{\{|\{%/.test(wanted) ? wanted : read(wanted), 'configuration');
  else if (beside !== undefined && existsSync(beside)) set(tokenizer, read(beside), beside);
}

function set(tokenizer: Model['tokenizer'], template: string, origin: string): void {
  tokenizer.chatTemplate = template;
  tokenizer.chatTemplateOrigin = origin;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw templateUnreadable(file, cause);
  }
}
