// Jobs as they pass between the threads: chats and tools as JSON text, since cloning loses the order
// of keys and the form of numbers.
import { parseJson, stringifyJson, type ChatMessage } from '@lmflow/sdk';
import type { FunctionTool, Job, PackedJob } from './thread-messages.ts';

/** For the way to the main thread. */
export function packJob({ prompt, tools, ...rest }: Job): PackedJob {
  return {
    ...rest,
    prompt: isChat(prompt) ? { messages: stringifyJson(prompt)! } : prompt,
    ...(tools ? { tools: stringifyJson(tools)! } : {}),
  };
}

/** As it was packed. */
export function unpackJob({ prompt, tools, ...rest }: PackedJob): Job {
  const isText = typeof prompt === 'object' && 'messages' in prompt;
  return {
    ...rest,
    prompt: isText ? (parseJson(prompt.messages) as readonly ChatMessage[]) : prompt,
    ...(tools === undefined ? {} : { tools: parseJson(tools) as readonly FunctionTool[] }),
  };
}

const isChat = (prompt: Job['prompt']): prompt is readonly ChatMessage[] =>
  typeof prompt === 'object' && typeof prompt[0] === 'object';
