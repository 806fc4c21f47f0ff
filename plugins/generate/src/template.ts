// Names of chat templates, for messages.
import type { Model } from '@lmflow/sdk/model';

/** The template in force. */
export function templateName({
  tokenizer: { chatTemplate, chatTemplateOrigin: origin = 'tokenizer' },
}: Model): string {
  if (chatTemplate === undefined) return 'none';
  return origin === 'tokenizer' ? "the model's own" : origin;
}
