// Prompts without answers, for methods that draw answers themselves. Other keys of a record are what
// rewards compare answers with.
import type { AnswerPrompt, CheckedFields, DatasetFormat } from '@lmflow/sdk';
import { listWith } from './json-values.ts';
import { tools, withSystem } from './messages.ts';

/** `{ prompt, ... }`: a text that an answer is put behind, or messages. */
export const promptFormat: DatasetFormat = {
  name: 'prompt_only',
  aliases: ['prompts'],
  kind: 'prompt',
  example: '{ prompt }',
  matches: ({ prompt }) => typeof prompt === 'string' || listWith(prompt, 'role', 'from'),
  parse: (fields) => ({ kind: 'prompt', ...promptOf(fields), columns: fields.all() }),
};

function promptOf(fields: CheckedFields): AnswerPrompt {
  const prompt = fields.raw('prompt');
  if (typeof prompt === 'string' && !listWith(prompt, 'role', 'from')) return { prompt };
  const messages = withSystem(
    fields,
    fields.messages(fields.has('prompt') ? 'prompt' : 'messages'),
  );
  const known = tools(fields);
  return { messages, ...(known ? { tools: known } : {}) };
}
