// The answer is `{"name": ..., "parameters": {...}}`, perhaps after <|python_tag|>, several with `;`
// between: Llama 3.1, 3.2, 3.3.
import type { ToolCallFormat } from '@lmflow/sdk';
import { callId, parsedJson, writesKey } from './call.ts';
import { WholeAnswerReader, type WholeAnswerSyntax } from './whole-answer.ts';

const syntax: WholeAnswerSyntax = {
  marker: '<|python_tag|>',
  opening: '{',
  argumentsKey: 'parameters',
  split: (text) => text.split(/(?<=\})\s*;\s*(?=\{)/).map(parsedJson),
  id: callId,
};

/** JSON alone, with name and parameters. */
export const llama: ToolCallFormat = {
  name: 'llama',
  description: 'JSON with name and parameters alone as Llama 3.1 and 3.2 write it',
  matches: (template) =>
    !template.includes('<tool_call>') &&
    template.includes('<|start_header_id|>') &&
    template.includes('tool_calls') &&
    writesKey(template, 'name') &&
    writesKey(template, 'parameters'),
  reader: (functions) => new WholeAnswerReader(syntax, functions),
};
