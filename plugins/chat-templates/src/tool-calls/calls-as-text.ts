// Tool calls of a conversation for templates that print none. Whether one prints them is found out by
// rendering a call, as the source does not tell.
import { stringifyJson, textOf, type ChatMessage, type Tokenizer } from '@lmflow/sdk';

/** Letters only, so that no filter changes it. */
const PROBE = 'LMFLOWPROBEXQZJ';

/**
 * The messages as the template can print them: where it prints no calls, they become lines of JSON
 * behind the answer's text. What is not printed would not be learned.
 */
export function callsAsText(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  return messages.map((message) => {
    const { tool_calls: calls, ...rest } = message;
    if (!Array.isArray(calls) || calls.length === 0) return message;
    const lines = calls.map((call: { function?: unknown }) => stringifyJson(call.function ?? call));
    const text = textOf(message.content);
    return { ...rest, role: message.role, content: [text, ...lines].filter(Boolean).join('\n') };
  });
}

/** Whether a tokenizer's chat template prints the calls of an answer that has nothing else. */
export function printsCalls(tokenizer: Pick<Tokenizer, 'render' | 'chatTemplate'>): boolean {
  const called = { name: PROBE, arguments: {} };
  try {
    const text = tokenizer.render(
      [
        { role: 'user', content: 'x' },
        // an id of nine letters, the only ones that Mistral's templates take
        {
          role: 'assistant',
          content: '',
          tool_calls: [{ id: 'LMFLOWXQZ', type: 'function', function: called }],
        },
      ],
      { tools: [{ type: 'function', function: { name: 'x', description: 'x', parameters: {} } }] },
    );
    return text.includes(PROBE);
  } catch {
    // it refuses such a conversation: it says which one it takes
    return tokenizer.chatTemplate?.includes('tool_calls') ?? false;
  }
}
