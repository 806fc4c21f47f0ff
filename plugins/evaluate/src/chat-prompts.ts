// Prompts as chats, by the model's chat template.
import { LMFlowError, type Logger } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import type { ChatPrompts } from './prompt.ts';

/**
 * As lm-evaluation-harness does, a template that refuses a system message gets none, which is told.
 * Throws LMFLOW_TEMPLATE_*.
 */
export function chatPrompts(
  { tokenizer }: Model,
  { multiturn, log }: { readonly multiturn: boolean; readonly log: Logger },
): ChatPrompts {
  let isTold = false;
  return {
    multiturn,
    render: (messages) => {
      try {
        return tokenizer.render(messages, { addGenerationPrompt: true });
      } catch (error) {
        const others = messages.filter(({ role }) => role !== 'system');
        const isRefused = error instanceof LMFlowError && error.code === 'LMFLOW_TEMPLATE_FAILED';
        if (!isRefused || others.length === messages.length) throw error;
        const text = tokenizer.render(others, { addGenerationPrompt: true });
        if (!isTold) log.warn('the chat template refuses system messages: they are left out');
        isTold = true;
        return text;
      }
    },
  };
}
