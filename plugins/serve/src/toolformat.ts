// Which way of writing tool calls a chat template asks the model for. Only ways that can be read back without guessing are known.

/**
 * `hermes`: one JSON object `{"name": ..., "arguments": {...}}` between <tool_call> and </tool_call> (Hermes 2 Pro, Qwen 2.5, Qwen 3).
 * Undefined for templates without tools, and for other ways (Qwen3-Coder's XML, Llama's bare JSON, Mistral's special tokens).
 */
export function toolFormat(template: string | undefined): 'hermes' | undefined {
  if (template === undefined || !/\btools\b/.test(template) || !template.includes('<tool_call>')) return undefined;
  if (template.includes('<function=') || template.includes('<arg_key>')) return undefined;
  return /"name\\?":/.test(template) && /"arguments\\?":/.test(template) ? 'hermes' : undefined;
}
