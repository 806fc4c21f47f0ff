// Templates of LMFlow made for calling tools: the system turn has the tools as JSON, their results
// are turns of their own.
import type { ChatTemplate } from '@lmflow/sdk';
import { BOS, EOS, eachCall, eachTool, eachTurn, foldSystem, jinja, prompt } from './parts.ts';

/** Sets `rules` to what the system says with the tools behind it, one a line. */
const RULES = jinja(
  foldSystem("messages[0]['content']"),
  '{%- set rules = namespace(text=lead) -%}',
  eachTool("{%- set rules.text = rules.text + ('\\n' if rules.text else '') + (tool | tojson) -%}"),
);

const ROLE = "message['role']";
const TEXT = "{%- set content = message['content'] or '' -%}";

// the words between the names are those by which calls are read again: see src/tool-calls
const llama3ForTool = jinja(
  BOS,
  RULES,
  '{%- if rules.text -%}',
  "{{- '<|start_header_id|>system<|end_header_id|>\\n\\n' + rules.text.strip() + '<|eot_id|>' -}}",
  '{%- endif -%}',
  eachTurn(
    TEXT,
    `{{- '<|start_header_id|>' + ${ROLE} + '<|end_header_id|>\\n\\n' + content.strip() -}}`,
    eachCall(
      "{{- (('\\n' if content else '') if loop.first else '; ') + '{\"name\": \"' + name + " +
        "'\", \"parameters\": ' + values + '}' -}}",
    ),
    "{{- '<|eot_id|>' -}}",
  ),
  prompt("'<|start_header_id|>assistant<|end_header_id|>\\n\\n'"),
);

const qwen2ForTool = jinja(
  RULES,
  "{%- if rules.text -%}{{- '<|im_start|>system\\n' + rules.text + '<|im_end|>\\n' -}}{%- endif -%}",
  eachTurn(
    TEXT,
    `{{- '<|im_start|>' + ${ROLE} + '\\n' + content -}}`,
    eachCall(
      "{{- ('\\n' if content or not loop.first else '') + '<tool_call>\\n{\"name\": \"' + name + " +
        "'\", \"arguments\": ' + values + '}\\n</tool_call>' -}}",
    ),
    "{{- '<|im_end|>\\n' -}}",
  ),
  prompt("'<|im_start|>assistant\\n'"),
);

/**
 * The system turn is there also where the system says nothing. EOS ends the last answer alone, so
 * that tags say what is an answer.
 */
const hymba = jinja(
  foldSystem("'\\n' + messages[0]['content'].strip() + ('\\n' if tools else '')"),
  "{{- '<extra_id_0>System' + lead -}}",
  eachTool("{{- '\\n<tool> ' + (tool | tojson) + ' </tool>' -}}"),
  "{{- '\\n\\n' -}}",
  eachTurn(
    TEXT,
    `{{- '<extra_id_1>' + ${ROLE}.capitalize() + '\\n' -}}`,
    `{%- if ${ROLE} == 'assistant' -%}`,
    '{%- generation -%}',
    '{{- content.strip() -}}',
    eachCall(
      "{{- ('\\n' if content or not loop.first else '') + '<toolcall> {\"name\": \"' + name + " +
        "'\", \"arguments\": ' + values + '} </toolcall>' -}}",
    ),
    `{{- ${EOS} if loop.last else '\\n' -}}`,
    '{%- endgeneration -%}',
    '{%- else -%}',
    "{{- content.strip() + '\\n' -}}",
    '{%- endif -%}',
  ),
  prompt("'<extra_id_1>Assistant\\n'"),
);

export const toolTemplates: readonly ChatTemplate[] = [
  {
    name: 'llama3_for_tool',
    source: llama3ForTool,
    markers: ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
  },
  { name: 'qwen2_for_tool', source: qwen2ForTool, markers: ['<|im_start|>', '<|im_end|>'] },
  { name: 'hymba', source: hymba, markers: ['<extra_id_0>', '<extra_id_1>'] },
];
