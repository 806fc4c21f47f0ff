// Case server-tool-conversation: what OpenAI's clients send, and send back, is accepted; what the
// server cannot do is refused by name.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readChat, type ReadChat } from '../src/http/chat-request.ts';
import type { Failure } from '../src/http/failures.ts';

const read = (body: object): ReadChat =>
  readChat(
    { model: 'm', ...body },
    { find: (id) => ({ id, created: 0, contextLength: 64 }), requestSettings: ['grammar'] },
  );
const user = { role: 'user', content: 'Hi' };
const tools = [{ type: 'function', function: { name: 'f' } }];

function refusal(body: object): string {
  try {
    read(body);
  } catch (error) {
    const { status, code, parameter } = error as Failure;
    return `${status} ${code} ${parameter}`;
  }
  throw new Error('it should have been refused');
}

test('case server-tool-conversation, line 1: the name on the message of a tool', () => {
  const { messages } = read({
    messages: [
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', name: 'weather', content: '4 C' },
    ],
  });
  assert.equal(messages, [
    { role: 'user', content: 'Weather?' },
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: {} } }],
    },
    { role: 'tool', content: '4 C', name: 'weather', tool_call_id: 'c1' },
  ]);
});

test('case server-tool-conversation, line 2: nulls inside messages', () => {
  const { messages } = read({
    messages: [
      { role: 'user', content: 'Hi', name: null },
      {
        role: 'assistant',
        content: 'Yo',
        tool_calls: null,
        function_call: null,
        refusal: null,
        annotations: null,
      },
      { role: 'user', content: 'And?' },
    ],
  });
  assert.equal(messages, [
    user,
    { role: 'assistant', content: 'Yo' },
    { ...user, content: 'And?' },
  ]);
});

test('case server-tool-conversation, line 3: nulls inside tools, but not inside a schema', () => {
  const { tools: read3 } = read({
    messages: [user],
    tools: [
      {
        type: 'function',
        function: { name: 'f', description: null, parameters: null, strict: null },
      },
      {
        type: 'function',
        function: { name: 'g', parameters: { enum: ['a', null], default: null } },
      },
    ],
  });
  assert.equal(read3, [
    { type: 'function', function: { name: 'f' } },
    { type: 'function', function: { name: 'g', parameters: { enum: ['a', null], default: null } } },
  ]);
});

test('answers of other servers: empty arguments and lists, reasoning, refusals, calls without type', () => {
  const answers = (...messages: object[]): unknown =>
    read({ messages: [user, ...messages], tools }).messages.slice(1);
  const call = { type: 'function', function: { name: 'f', arguments: {} } };
  for (const given of [{ arguments: '' }, { arguments: ' ' }, {}, { arguments: null }]) {
    assert.equal(
      answers({ role: 'assistant', tool_calls: [{ id: 'c', function: { name: 'f', ...given } }] }),
      [{ role: 'assistant', content: '', tool_calls: [{ id: 'c', ...call }] }],
    );
  }
  assert.equal(answers({ role: 'assistant', content: 'Yo', tool_calls: [], audio: null }), [
    { role: 'assistant', content: 'Yo' },
  ]);
  const thought = { role: 'assistant', content: '', reasoning_content: 'Hm.' };
  assert.equal(answers({ role: 'assistant', content: null, reasoning_content: 'Hm.' }), [thought]);
  assert.equal(answers({ role: 'assistant', content: '', reasoning: 'Hm.' }), [thought]);
  assert.equal(answers({ role: 'assistant', content: null, refusal: 'No.' }), [
    { role: 'assistant', content: 'No.' },
  ]);
  assert.equal(answers({ role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] }), [
    { role: 'assistant', content: 'No.' },
  ]);
  assert.equal(answers({ role: 'tool', content: [] }), [{ role: 'tool', content: '' }]);
});

test('parameters that ask for what happens anyway', () => {
  for (const body of [
    { tools: [] },
    { tools: [], tool_choice: 'auto' },
    { tool_choice: 'none' },
    { parallel_tool_calls: false },
    { parallel_tool_calls: false, tools: [] },
    { parallel_tool_calls: false, tools, tool_choice: 'none' },
    { parallel_tool_calls: true, tools },
    { functions: [], function_call: 'auto' },
    { tools: [{ function: { name: 'f', strict: true } }] },
    { max_tokens: 5, max_completion_tokens: 5 },
    { logprobs: false, top_logprobs: 0 },
    { stream_options: { include_usage: null } },
    { metadata: {}, store: false, modalities: ['text'], response_format: { type: 'text' } },
    { safety_identifier: 'u', prompt_cache_key: 'k' },
    { grammar: null },
  ]) {
    assert.equal(read({ messages: [user], ...body }).messages, [user]);
  }
});

test('what cannot be done is refused by name', () => {
  for (const [body, expected] of [
    [{ tools, tool_choice: 'required' }, 'unsupported_parameter tool_choice'],
    [{ tools, parallel_tool_calls: false }, 'unsupported_parameter parallel_tool_calls'],
    [{ functions: [{ name: 'f' }] }, 'unsupported_parameter functions'],
    [{ max_tokens: 5, max_completion_tokens: 6 }, 'null max_tokens'],
    [{ top_logprobs: 2 }, 'null top_logprobs'],
    [{ messages: [{ role: 'user' }] }, 'missing_required_parameter messages[0].content'],
    [
      { messages: [{ role: 'user', content: null }] },
      'missing_required_parameter messages[0].content',
    ],
    [{ messages: [{ role: 'assistant' }] }, 'missing_required_parameter messages[0].content'],
    [
      { messages: [{ role: 'tool', content: 'x', nmae: 'f' }] },
      'unsupported_parameter messages[0].nmae',
    ],
    [
      {
        messages: [
          {
            role: 'assistant',
            tool_calls: [{ function: { name: 'f', arguments: '{city: Oslo}' } }],
          },
        ],
      },
      'invalid_value messages[0].tool_calls[0].function.arguments',
    ],
    [
      { messages: [{ role: 'assistant', function_call: { name: 'f', arguments: '{}' } }] },
      'invalid_value messages[0].function_call',
    ],
  ] as const) {
    assert.is(refusal({ messages: [user], ...body }), `400 ${expected}`);
  }
});

test.run();
