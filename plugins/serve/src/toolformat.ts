// Which way of writing tool calls a chat template asks the model for. Only ways that can be read
// back without guessing are known.

/** How calls are written; http/toolcalls.ts reads them. */
export type ToolFormat = 'hermes' | 'llama' | 'mistral';

/** For messages. */
export const TOOL_FORMATS =
  'JSON between <tool_call> and </tool_call>, JSON with name and parameters alone as Llama 3.1 and 3.2 write it, a list after [TOOL_CALLS]';

/**
 * `hermes`: one JSON object `{"name": ..., "arguments": {...}}` between <tool_call> and
 * </tool_call> (Hermes 2 Pro, Qwen 2.5, Qwen 3).
 * `llama`: the answer is `{"name": ..., "parameters": {...}}`, perhaps after <|python_tag|> (Llama
 * 3.1, 3.2, 3.3).
 * `mistral`: `[TOOL_CALLS]` and a list of `{"name": ..., "arguments": {...}}` (Mistral 7B v0.3,
 * Nemo, Small 3). Undefined for templates without tools, and for other ways (Qwen3-Coder's XML,
 * Mistral's later `[TOOL_CALLS]name[ARGS]`).
 */
export function toolFormat(template: string | undefined): ToolFormat | undefined {
  if (template === undefined || !/\btools\b/.test(template)) return undefined;
  const key = (name: string): boolean => new RegExp(`"${name}\\\\?":`).test(template);
  if (template.includes('<tool_call>')) {
    return !template.includes('<function=') &&
      !template.includes('<arg_key>') &&
      key('name') &&
      key('arguments')
      ? 'hermes'
      : undefined;
  }
  if (/\[TOOL_CALLS\] ?\[/.test(template)) return 'mistral';
  return template.includes('<|start_header_id|>') &&
    template.includes('tool_calls') &&
    key('name') &&
    key('parameters')
    ? 'llama'
    : undefined;
}
