// The templates of Qwen 2.5 and later: ChatML with tools as Hermes writes them. Qwen 3 reasons.
import type { ChatTemplate } from '@lmflow/sdk';
import {
  ANSWER_PARTS,
  LAST_QUESTION,
  THOUGHT,
  eachCall,
  eachTool,
  eachTurn,
  foldSystem,
  jinja,
  literal,
  prompt,
} from './parts.ts';

/** What surrounds the tools, word for word as the models know it. */
const TOOLS =
  '# Tools\n\nYou may call one or more functions to assist with the user query.\n\n' +
  'You are provided with function signatures within <tools></tools> XML tags:\n<tools>';
const CALLS =
  '\n</tools>\n\nFor each function call, return a json object with function name and arguments ' +
  'within <tool_call></tool_call> XML tags:\n<tool_call>\n' +
  '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>';

/** The system turn: what the system says, then the tools. */
const SYSTEM = jinja(
  "{%- set led = lead != '' or messages[0]['role'] == 'system' -%}",
  '{%- if led or tools -%}',
  "{{- '<|im_start|>system\\n' + lead -}}",
  '{%- if tools -%}',
  `{{- ('\\n\\n' if led else '') + ${literal(TOOLS)} -}}`,
  eachTool("{{- '\\n' + (tool | tojson) -}}"),
  `{{- ${literal(CALLS)} -}}`,
  '{%- endif -%}',
  "{{- '<|im_end|>\\n' -}}",
  '{%- endif -%}',
);

/** The results of calls that follow each other are one turn of the user. */
const RESULT = jinja(
  "{%- if loop.first or turns[loop.index0 - 1]['role'] != 'tool' -%}",
  "{{- '<|im_start|>user' -}}",
  '{%- endif -%}',
  "{{- '\\n<tool_response>\\n' + message['content'] + '\\n</tool_response>' -}}",
  "{%- if loop.last or turns[loop.index0 + 1]['role'] != 'tool' -%}",
  "{{- '<|im_end|>\\n' -}}",
  '{%- endif -%}',
);

/** Sets `content` of an answer and prints its reasoning, but for answers before the last question. */
const REASONED = jinja(
  ANSWER_PARTS,
  '{%- if loop.index0 > place.question and (loop.last or reasoning) -%}',
  `{{- ${THOUGHT} -}}`,
  '{%- endif -%}',
);

interface Qwen {
  /** What the system says where the conversation has no system message. */
  readonly system?: string;
  readonly reasons?: boolean;
}

const qwen = ({ system = '', reasons = false }: Qwen): string =>
  jinja(
    foldSystem("messages[0]['content']", literal(system)),
    SYSTEM,
    reasons ? LAST_QUESTION : '',
    eachTurn(
      "{%- if message['role'] == 'assistant' -%}",
      "{{- '<|im_start|>assistant\\n' -}}",
      reasons ? REASONED : "{%- set content = message['content'] or '' -%}",
      '{{- content -}}',
      eachCall(
        "{{- ('\\n' if content or not loop.first else '') + '<tool_call>\\n{\"name\": \"' + name + " +
          "'\", \"arguments\": ' + values + '}\\n</tool_call>' -}}",
      ),
      "{{- '<|im_end|>\\n' -}}",
      "{%- elif message['role'] == 'tool' -%}",
      RESULT,
      '{%- else -%}',
      "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}",
      '{%- endif -%}',
    ),
    prompt("'<|im_start|>assistant\\n'"),
  );

const markers = ['<|im_start|>', '<|im_end|>'];

export const qwenTemplates: readonly ChatTemplate[] = [
  {
    name: 'qwen2_5',
    source: qwen({
      system: 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.',
    }),
    markers,
  },
  { name: 'qwen2_5_1m', source: qwen({ system: 'You are a helpful assistant.' }), markers },
  {
    name: 'qwen2_5_math',
    source: qwen({
      system: 'Please reason step by step, and put your final answer within \\boxed{}.',
    }),
    markers,
  },
  {
    name: 'qwen_qwq',
    source: qwen({
      system:
        'You are a helpful and harmless assistant. You are Qwen developed by Alibaba. ' +
        'You should think step-by-step.',
    }),
    markers,
  },
  { name: 'qwen3', source: qwen({ reasons: true }), markers },
];
