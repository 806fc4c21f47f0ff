// The configuration keys of this plugin.
import { CHAT_TEMPLATES } from '@lmflow/sdk';
import { z } from 'zod';

/** The keys `chatTemplate` and `specialTokensInText`. */
export const optionsSchema = z.object({
  chatTemplate: z
    .string()
    .optional()
    .describe(
      'Chat template, of training and of chats: a name (chatml, llama3, alpaca, ...), a .jinja ' +
        "file, its source, or 'tokenizer' to insist on the tokenizer's own.",
    )
    .meta({ table: CHAT_TEMPLATES.name }),
  specialTokensInText: z
    .boolean()
    .default(false)
    .describe(
      'Read special tokens that messages have in them, such as <|im_end|>, as such. By default ' +
        'they are plain text, in chats and in training.',
    ),
});

declare module '@lmflow/sdk' {
  interface ConfigSections {
    chatTemplate?: string;
    specialTokensInText?: boolean;
  }
}
