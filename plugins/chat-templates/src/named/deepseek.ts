// The templates of DeepSeek V3 and R1, and of the models distilled from R1. They print calls and
// their results, but not the tools.
import type { ChatTemplate } from '@lmflow/sdk';
import {
  ANSWER_PARTS,
  BOS,
  EOS,
  LAST_QUESTION,
  THOUGHT,
  each,
  eachCall,
  eachTurn,
  jinja,
} from './parts.ts';

/** All that the system says comes first, without a marker. */
const SYSTEM = jinja(
  "{%- set turns = messages | rejectattr('role', 'equalto', 'system') | list -%}",
  "{%- set first = namespace(done='') -%}",
  each(
    "{%- if message['role'] == 'system' -%}",
    "{{- first.done + message['content'] -}}",
    "{%- set first.done = '\\n\\n' -%}",
    '{%- endif -%}',
  ),
);

const CALLS = jinja(
  "{%- if message['tool_calls'] -%}",
  "{{- '<｜tool▁calls▁begin｜>' -}}",
  eachCall(
    "{{- ('' if loop.first else '\\n') + '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' + name + " +
      "'\\n```json\\n' + values + '\\n```<｜tool▁call▁end｜>' -}}",
  ),
  "{{- '<｜tool▁calls▁end｜>' -}}",
  '{%- endif -%}',
);

const RESULT = jinja(
  "{{- '<｜tool▁outputs▁begin｜>' if not after_tool else '\\n' -}}",
  "{{- '<｜tool▁output▁begin｜>' + message['content'] + '<｜tool▁output▁end｜>' -}}",
  "{%- if loop.last or turns[loop.index0 + 1]['role'] != 'tool' -%}",
  "{{- '<｜tool▁outputs▁end｜>' -}}",
  '{%- endif -%}',
);

/**
 * `kept` says which reasoning is printed: of V3, which does not reason, what an answer's text has;
 * of R1 that behind the last question. With `opened` the prompt opens it, so that each such answer
 * has one, if an empty one.
 */
function deepseek({ kept, opened = false }: { kept: 'all' | 'last'; opened?: boolean }): string {
  const some = opened ? '(reasoning or not after_tool)' : 'reasoning';
  const answer =
    kept === 'all'
      ? "{%- set content = message['content'] or '' -%}"
      : jinja(
          ANSWER_PARTS,
          `{%- if loop.index0 > place.question and ${some} -%}{{- ${THOUGHT} -}}{%- endif -%}`,
        );
  return jinja(
    BOS,
    SYSTEM,
    kept === 'last' ? LAST_QUESTION : '',
    eachTurn(
      "{%- set after_tool = not loop.first and turns[loop.index0 - 1]['role'] == 'tool' -%}",
      "{%- if message['role'] == 'assistant' -%}",
      "{{- '' if after_tool else '<｜Assistant｜>' -}}",
      answer,
      '{{- content -}}',
      CALLS,
      `{{- ${EOS} -}}`,
      "{%- elif message['role'] == 'tool' -%}",
      RESULT,
      '{%- else -%}',
      "{{- '<｜User｜>' + message['content'] -}}",
      '{%- endif -%}',
    ),
    // behind the results of calls the model speaks at once
    "{%- if add_generation_prompt and messages[-1]['role'] != 'tool' -%}",
    `{{- '<｜Assistant｜>${opened ? '<think>\\n' : ''}' -}}`,
    '{%- endif -%}',
  );
}

const markers = ['<｜User｜>', '<｜Assistant｜>'];

export const deepseekTemplates: readonly ChatTemplate[] = [
  { name: 'deepseek_v3', source: deepseek({ kept: 'all' }), markers },
  { name: 'deepseek_r1', source: deepseek({ kept: 'last' }), markers },
  { name: 'deepseek_r1_distill', source: deepseek({ kept: 'last', opened: true }), markers },
];
