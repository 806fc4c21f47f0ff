// The answer is `[TOOL_CALLS]` and a list of `{"name": ..., "arguments": {...}}`: Mistral 7B v0.3,
// Nemo, Small 3.
import { randomBytes } from 'node:crypto';
import type { ToolCallFormat } from '@lmflow/sdk';
import { parsedJson } from './call.ts';
import { WholeAnswerReader, type WholeAnswerSyntax } from './whole-answer.ts';

const syntax: WholeAnswerSyntax = {
  marker: '[TOOL_CALLS]',
  opening: '[',
  argumentsKey: 'arguments',
  split: (text) => {
    const list = parsedJson(text);
    return Array.isArray(list) ? list : undefined;
  },
  // Mistral's templates refuse other ids than those of nine letters and digits
  id: () => randomBytes(5).toString('hex').slice(1),
};

/** A list after a marker. */
export const mistral: ToolCallFormat = {
  name: 'mistral',
  description: 'a list after [TOOL_CALLS]',
  matches: (template) => !template.includes('<tool_call>') && /\[TOOL_CALLS\] ?\[/.test(template),
  reader: (functions) => new WholeAnswerReader(syntax, functions),
};
