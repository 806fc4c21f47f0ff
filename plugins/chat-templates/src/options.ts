// The configuration key of this plugin.
import { z } from 'zod';

/** The key `chatTemplate`. */
export const optionsSchema = z.object({
  chatTemplate: z
    .string()
    .optional()
    .describe(
      'Chat template, of training and of chats: a name (chatml, llama3, alpaca, ...), a .jinja ' +
        "file, its source, or 'tokenizer' to insist on the tokenizer's own.",
    ),
});

declare module '@lmflow/sdk' {
  interface ConfigSections {
    chatTemplate?: string;
  }
}
