// Tool calls of a conversation for templates that know none.
import { stringifyJson, type ChatMessage } from '@lmflow/sdk';

/**
 * The messages as the template can print them: where it knows no tool calls, they become the
 * answer's text, a line of JSON each. What is not printed would not be learned.
 */
export function callsAsText(
  messages: readonly ChatMessage[],
  template: string | undefined,
): readonly ChatMessage[] {
  if (template?.includes('tool_calls')) return messages;
  return messages.map((message) => {
    const calls = message['tool_calls'];
    if (!Array.isArray(calls) || message.content !== '') return message;
    const lines = calls.map((call: { function?: unknown }) => stringifyJson(call.function ?? call));
    return { ...message, content: lines.join('\n') };
  });
}
