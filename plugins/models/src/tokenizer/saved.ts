// The tokenizer's files beside a saved model, as transformers 5 writes them: the chat template in
// force in a file of its own.
import type { TokenizerFiles } from './files.ts';

interface Current {
  readonly json: string;
  readonly chatTemplate: string | undefined;
  /** The template is the tokenizer's own, so its further templates (tool_use, ...) stay too. */
  readonly own: boolean;
}

/** File name (with `/` for the folder of further templates) -> content. */
export function savedFiles(
  files: TokenizerFiles,
  { json, chatTemplate, own }: Current,
): Map<string, Uint8Array> {
  const saved = new Map<string, Uint8Array>();
  const text = (name: string, content: string): void => {
    saved.set(name, new TextEncoder().encode(content));
  };
  const { chat_template: _template, ...config } = files.config;
  text('tokenizer.json', json);
  text('tokenizer_config.json', `${JSON.stringify(config, undefined, 2)}\n`);
  if (files.specialTokensMap) {
    text('special_tokens_map.json', `${JSON.stringify(files.specialTokensMap, undefined, 2)}\n`);
  }
  if (chatTemplate !== undefined) text('chat_template.jinja', chatTemplate);
  if (own) {
    for (const [name, template] of files.templates) {
      if (template !== chatTemplate) text(`additional_chat_templates/${name}.jinja`, template);
    }
  }
  return saved;
}
