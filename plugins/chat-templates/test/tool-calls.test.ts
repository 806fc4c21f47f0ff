// Tool calls in the format of each family's template: which format it is, and reading them back out
// of pieces of any size.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ToolCall } from '@lmflow/sdk';
import { toolCallFormat, toolCallFormats } from '../src/index.ts';

// The lines of the models' own templates that say how a call is written.
const HERMES = `{%- if tools %}{{- "<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call><|im_end|>\\n" }}{%- endif %}`;
const LLAMA = `{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{{- 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.' }}
{%- set tool_call = message.tool_calls[0].function %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}{{- '{"name": "' + tool_call.name + '", ' }}{{- '"parameters": ' }}{{- tool_call.arguments | tojson }}{{- "}" }}`;
const MISTRAL = `{%- if tools is not none %}{{- "[AVAILABLE_TOOLS] [" }}{%- endif %}{{- "[TOOL_CALLS] [" }}
{%- set out = tool_call.function|tojson %}{{- out[:-1] }}{{- ', "id": "' + tool_call.id + '"}' }}`;

type Format = 'hermes' | 'llama' | 'mistral';

test('the format that a template asks for', () => {
  const cases: readonly (readonly [string, Format | undefined])[] = [
    [HERMES, 'hermes'],
    [LLAMA, 'llama'],
    [MISTRAL, 'mistral'],
    [MISTRAL.replace('[TOOL_CALLS] [', '[TOOL_CALLS]['), 'mistral'],
    ['{%- if tools %}<tool_call><function=name>{%- endif %}', undefined],
    ['{{ tools }}[TOOL_CALLS]{{ name }}[ARGS]{{ arguments }}', undefined],
    [LLAMA.replaceAll('tools', 'toys'), undefined],
    ['{{ messages }}', undefined],
  ];
  assert.equal(
    [...cases.map(([template]) => template), undefined].map(
      (template) => toolCallFormat(toolCallFormats, template)?.name,
    ),
    [...cases.map(([, format]) => format), undefined],
  );
});

/** What a reader gives for an answer that comes in pieces of `size` characters. */
function read(
  format: Format,
  answer: string,
  size: number,
): {
  text: string;
  calls: readonly (readonly [string, string])[];
  ids: readonly string[];
  early: number;
} {
  const reader = toolCallFormats
    .find(({ name }) => name === format)!
    .reader(new Set(['weather', 'time']));
  let [text, early] = ['', 0];
  const calls: ToolCall[] = [];
  for (let place = 0; place < answer.length; place += size) {
    const last = place + size >= answer.length;
    const found = reader.push(answer.slice(place, place + size), last);
    text += found.text;
    if (!last) early += found.text.length;
    calls.push(...found.calls);
  }
  assert.is(reader.called, calls.length > 0);
  return {
    text,
    early,
    calls: calls.map(({ function: { name, arguments: given } }) => [name, given]),
    ids: calls.map(({ id }) => id),
  };
}

const ULM = ['weather', '{"city":"Ulm"}'] as const;
const cases: readonly {
  readonly format: Format;
  readonly answer: string;
  readonly calls: readonly (readonly [string, string])[];
  readonly text?: string;
}[] = [
  { format: 'llama', answer: '{"name": "weather", "parameters": {"city": "Ulm"}}', calls: [ULM] },
  {
    format: 'llama',
    answer:
      '\n<|python_tag|>{"type": "function", "name": "weather", "parameters": {"city": "Ulm"}}\n',
    calls: [ULM],
  },
  {
    format: 'llama',
    answer:
      '<|python_tag|>{"name": "weather", "parameters": {"city": "Ulm"}}; {"name": "time", "parameters": {}}',
    calls: [ULM, ['time', '{}']],
  },
  { format: 'llama', answer: '{"name": "weather", "arguments": {"city": "Ulm"}}', calls: [] },
  { format: 'llama', answer: '{"name": "other", "parameters": {}}', calls: [] },
  { format: 'llama', answer: '{"name": "weather", "parameters": {"city": "Ul', calls: [] },
  { format: 'llama', answer: '<|python_tag|>print(1)', calls: [] },
  {
    format: 'llama',
    answer: 'It rains. {"name": "weather", "parameters": {"city": "Ulm"}}',
    calls: [],
  },
  {
    format: 'mistral',
    answer:
      '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Ulm"}}, {"name": "time", "arguments": {}, "id": "abcdefghi"}]',
    calls: [ULM, ['time', '{}']],
  },
  {
    format: 'mistral',
    answer: ' [{"name": "weather", "arguments": {"city": "Ulm"}}]',
    calls: [ULM],
  },
  { format: 'mistral', answer: '[TOOL_CALLS][]', calls: [] },
  { format: 'mistral', answer: '[1, 2]', calls: [] },
  {
    format: 'mistral',
    answer: '[TOOL_CALLS] [{"name": "weather", "arguments": "Ulm"}]',
    calls: [],
  },
  { format: 'mistral', answer: 'Hello [there]', calls: [] },
  {
    format: 'hermes',
    answer:
      'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm"}}\n</tool_call>',
    calls: [ULM],
    text: 'Let me see.',
  },
];

for (const { format, answer, calls, text = calls.length > 0 ? '' : answer } of cases) {
  test(`${format}: ${JSON.stringify(answer)}`, () => {
    for (const size of [1, 3, 1000]) {
      const found = read(format, answer, size);
      assert.equal([found.text, found.calls], [text, calls], `pieces of ${size}`);
      assert.ok(
        found.ids.every((id) =>
          (format === 'mistral' ? /^[a-z0-9]{9}$/ : /^call_[a-z0-9]{32}$/).test(id),
        ) && new Set(found.ids).size === found.ids.length,
        found.ids.join(),
      );
    }
  });
}

test('an answer that is no call streams from where that is certain', () => {
  assert.is(read('llama', 'It rains.', 1).early, 'It rains'.length);
  assert.is(read('mistral', '[TOOLS are fine]', 1).text, '[TOOLS are fine]');
  assert.is(
    read('llama', '{"a": 1} is JSON', 1).early,
    0,
    'what begins as a call does is kept until its end',
  );
});

test.run();
