// The ways of writing tool calls that are known, and which of them a chat template asks for. Only
// ways that can be read back without guessing are here.
import type { ToolCallFormat } from '@lmflow/sdk';
import { hermes } from './hermes.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';

/** The built-in formats. */
export const toolCallFormats: readonly ToolCallFormat[] = [hermes, mistral, llama];

/**
 * The format of a template's calls; undefined for templates without tools, and for formats that are
 * not known (Qwen3-Coder's XML, Mistral's later `[TOOL_CALLS]name[ARGS]`).
 */
export function toolCallFormat(
  formats: Iterable<ToolCallFormat>,
  template: string | undefined,
): ToolCallFormat | undefined {
  if (template === undefined || !/\btools\b/.test(template)) return undefined;
  for (const format of formats) if (format.matches(template)) return format;
  return undefined;
}
