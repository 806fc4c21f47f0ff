// Tool calls of a chat: taken out of the pieces of an answer, and written as OpenAI's API does.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { toolCallFormats } from '@lmflow/plugin-chat-templates';
import { planChat } from '../src/http/chat.ts';
import type { PieceEvent } from '../src/thread-messages.ts';
import { ToolCallSplitter } from '../src/tool-calls.ts';

test('a chat answer with them: no content, finish_reason tool_calls', () => {
  const tools = [{ type: 'function', function: { name: 'weather' } }];
  const plan = planChat(
    { model: 'm', tools, messages: [{ role: 'user', content: 'rain?' }] },
    (id) => ({ id, created: 0, contextLength: 64 }),
  );
  const format = toolCallFormats.find(({ name }) => name === 'llama')!;
  const splitter = new ToolCallSplitter(format, plan.jobs[0]!.tools!);
  const pieces: PieceEvent[] = [
    { kind: 'piece', index: 0, text: '{"name": "weather", ', tokens: 1 },
    {
      kind: 'piece',
      index: 0,
      text: '"parameters": {"city": "Ulm"}}',
      tokens: 1,
      finishReason: 'stop',
    },
  ];
  for (const piece of pieces) plan.answer.piece(0, splitter.split(piece));
  const { choices } = plan.answer.whole({
    prompt_tokens: 1,
    completion_tokens: 2,
    total_tokens: 3,
  }) as {
    choices: {
      message: { content: unknown; tool_calls: { function: object }[] };
      finish_reason: string;
    }[];
  };
  assert.equal(
    [
      choices[0]!.message.content,
      choices[0]!.message.tool_calls.map((call) => call.function),
      choices[0]!.finish_reason,
    ],
    [null, [{ name: 'weather', arguments: '{"city":"Ulm"}' }], 'tool_calls'],
  );
});

test.run();
