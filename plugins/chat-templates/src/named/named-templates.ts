// The chat templates that have names, as Jinja sources that transformers, vLLM and others read too.
// Other plugins add rows. Formats as LMFlow's template table describes them.
import type { ChatTemplate } from '@lmflow/sdk';
import { deepseekTemplates } from './deepseek.ts';
import {
  BOS,
  EOS,
  each,
  eachTurn,
  foldSystem,
  jinja,
  onlyUserAndAssistant,
  prompt,
} from './parts.ts';
import { qwenTemplates } from './qwen.ts';
import { toolTemplates } from './tools.ts';

/** `<|im_start|>role\n...<|im_end|>\n`, by a first line of its own. */
const chatml = (head: string): string =>
  jinja(
    head,
    each("{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}"),
    prompt("'<|im_start|>assistant\\n'"),
  );

const IM = ['<|im_start|>', '<|im_end|>'];

const CONTENT = "(lead if loop.first else '') + message['content']";

/** Stanford Alpaca's prompts, word for word. */
const ALPACA =
  'Below is an instruction that describes a task. Write a response that appropriately completes the request.';
const ALPACA_INPUT =
  'Below is an instruction that describes a task, paired with an input that provides further ' +
  'context. Write a response that appropriately completes the request.';

/**
 * Stanford Alpaca's prompt. Messages that carry `instruction` and `input` apart (alpaca records do)
 * get the prompt with input; a chat has the message's content as the instruction. A system message
 * takes the place of the first sentence; later turns begin with a blank line.
 */
export const alpaca = (bos: boolean): string =>
  jinja(
    bos ? BOS : '',
    foldSystem("messages[0]['content']"),
    eachTurn(
      "{%- if message['role'] == 'assistant' -%}",
      `{{- message['content'] + ${EOS} -}}`,
      '{%- else -%}',
      '{%- if loop.first -%}',
      `{{- (lead if lead else ('${ALPACA_INPUT}' if message['input'] else '${ALPACA}')) + '\\n\\n' -}}`,
      '{%- else -%}',
      "{{- '\\n\\n' -}}",
      '{%- endif -%}',
      "{%- if message['input'] -%}",
      "{{- '### Instruction:\\n' + message['instruction'] + '\\n\\n### Input:\\n' + " +
        "message['input'] + '\\n\\n### Response:' -}}",
      '{%- else -%}',
      "{{- '### Instruction:\\n' + message['content'] + '\\n\\n### Response:' -}}",
      '{%- endif -%}',
      '{%- endif -%}',
    ),
  );

/** Contents as they are, EOS after answers: for models that were only ever given text. */
export const plain = (bos: boolean): string =>
  jinja(
    bos ? BOS : '',
    each(
      "{{- message['content'] -}}",
      `{%- if message['role'] == 'assistant' -%}{{- ${EOS} -}}{%- endif -%}`,
    ),
  );

/** As `plain`, with BOS before every question; before the system message, where that comes first. */
const empty = jinja(
  foldSystem("messages[0]['content']"),
  eachTurn(
    "{%- if message['role'] == 'assistant' -%}",
    `{{- message['content'] + ${EOS} -}}`,
    '{%- else -%}',
    `{{- (bos_token or '') + ${CONTENT} -}}`,
    '{%- endif -%}',
  ),
);

const llama2 = jinja(
  foldSystem("'<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n'"),
  eachTurn(
    "{%- if message['role'] == 'user' -%}",
    `{{- (bos_token or '') + '[INST] ' + ${CONTENT} + ' [/INST]' -}}`,
    "{%- elif message['role'] == 'assistant' -%}",
    `{{- ' ' + message['content'] + ${EOS} -}}`,
    `{%- else -%}${onlyUserAndAssistant('llama2')}{%- endif -%}`,
  ),
);

const mistral = jinja(
  BOS,
  foldSystem("messages[0]['content'] + '\\n\\n'"),
  eachTurn(
    "{%- if message['role'] == 'user' -%}",
    `{{- '[INST] ' + ${CONTENT} + ' [/INST]' -}}`,
    "{%- elif message['role'] == 'assistant' -%}",
    `{{- ' ' + message['content'].strip() + ${EOS} -}}`,
    `{%- else -%}${onlyUserAndAssistant('mistral')}{%- endif -%}`,
  ),
);

const llama3 = jinja(
  BOS,
  each(
    "{{- '<|start_header_id|>' + ('ipython' if message['role'] == 'tool' else message['role']) " +
      "+ '<|end_header_id|>\\n\\n' + message['content'].strip() + '<|eot_id|>' -}}",
  ),
  prompt("'<|start_header_id|>assistant<|end_header_id|>\\n\\n'"),
);

const gemma = jinja(
  BOS,
  foldSystem("messages[0]['content']"),
  '{{- lead -}}',
  eachTurn(
    "{{- '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) " +
      "+ '\\n' + message['content'].strip() + '<end_of_turn>\\n' -}}",
  ),
  prompt("'<start_of_turn>model\\n'"),
);

/** Gemma 3 knows no system turn either: the first question begins with what the system says. */
const gemma3 = jinja(
  BOS,
  foldSystem("messages[0]['content'] + '\\n\\n'"),
  eachTurn(
    "{%- if message['role'] == 'assistant' -%}{{- '<start_of_turn>model\\n' -}}",
    `{%- elif message['role'] == 'user' -%}{{- '<start_of_turn>user\\n' -}}`,
    `{%- else -%}${onlyUserAndAssistant('gemma3')}{%- endif -%}`,
    "{{- (lead if loop.first else '') + message['content'].strip() + '<end_of_turn>\\n' -}}",
  ),
  prompt("'<start_of_turn>model\\n'"),
);

const phi3 = jinja(
  BOS,
  each("{{- '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' -}}"),
  `{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- else -%}{{- ${EOS} -}}{%- endif -%}`,
);

const zephyr = jinja(
  each(
    `{{- ('' if loop.first else '\\n') + '<|' + message['role'] + '|>\\n' + message['content'] + ${EOS} -}}`,
  ),
  prompt("'\\n<|assistant|>\\n'"),
);

const vicuna = jinja(
  BOS,
  foldSystem("messages[0]['content']"),
  '{{- lead if lead else "A chat between a curious user and an artificial intelligence ' +
    "assistant. The assistant gives helpful, detailed, and polite answers to the user's " +
    'questions." -}}',
  eachTurn(
    "{%- if message['role'] == 'assistant' -%}",
    `{{- ' ASSISTANT: ' + message['content'] + ${EOS} -}}`,
    "{%- else -%}{{- ' USER: ' + message['content'] -}}{%- endif -%}",
  ),
  prompt("' ASSISTANT:'"),
);

const deepseek = jinja(
  BOS,
  each(
    "{%- if message['role'] == 'user' -%}{{- 'User: ' + message['content'] + '\\n\\n' -}}",
    `{%- elif message['role'] == 'assistant' -%}{{- 'Assistant: ' + message['content'] + ${EOS} -}}`,
    "{%- else -%}{{- message['content'] + '\\n\\n' -}}{%- endif -%}",
  ),
  prompt("'Assistant:'"),
);

/** Nothing ends an answer; the tags say so, or EOS would be put there. */
const chatglm3 = jinja(
  "{{- '[gMASK]sop' -}}",
  each(
    "{{- '<|' + ('observation' if message['role'] == 'tool' else message['role']) + '|>' -}}",
    "{%- if message['role'] == 'assistant' -%}",
    "{%- generation -%}{{- '\\n ' + message['content'] -}}{%- endgeneration -%}",
    "{%- else -%}{{- '\\n ' + message['content'] -}}{%- endif -%}",
  ),
  prompt("'<|assistant|>'"),
);

const qwen2 = chatml(
  "{%- if messages[0]['role'] != 'system' -%}{{- '<|im_start|>system\\nYou are a helpful " +
    "assistant.<|im_end|>\\n' -}}{%- endif -%}",
);
const yi15 = jinja(
  "{%- if messages[0]['role'] == 'system' -%}{{- messages[0]['content'] -}}{%- endif -%}",
  each(
    "{%- if message['role'] != 'system' -%}{{- '<|im_start|>' + message['role'] + '\\n' + " +
      "message['content'] + '<|im_end|>\\n' -}}{%- endif -%}",
  ),
  prompt("'<|im_start|>assistant\\n'"),
);

/** The built-in templates. */
export const namedTemplates: readonly ChatTemplate[] = [
  { name: 'alpaca', source: alpaca },
  { name: 'chatml', source: chatml(''), markers: IM },
  { name: 'yi', source: chatml(''), markers: IM },
  { name: 'yi1_5', source: yi15, markers: IM },
  { name: 'internlm2', source: chatml(BOS), markers: IM },
  { name: 'qwen2', source: qwen2, markers: IM },
  { name: 'llama2', source: llama2 },
  {
    name: 'llama3',
    source: llama3,
    markers: ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
  },
  { name: 'gemma', source: gemma, markers: ['<start_of_turn>', '<end_of_turn>'] },
  { name: 'gemma3', source: gemma3, markers: ['<start_of_turn>', '<end_of_turn>'] },
  { name: 'phi3', source: phi3, markers: ['<|user|>', '<|assistant|>', '<|end|>'] },
  { name: 'zephyr', source: zephyr },
  { name: 'mistral', source: mistral },
  { name: 'vicuna', source: vicuna },
  { name: 'deepseek', source: deepseek },
  { name: 'deepseek_v2', source: deepseek },
  { name: 'chatglm3', source: chatglm3, markers: ['<|user|>', '<|assistant|>'] },
  { name: 'plain', source: plain },
  { name: 'empty', source: empty },
  { name: 'disable', source: empty },
  { name: 'empty_no_special_tokens', source: jinja(each("{{- message['content'] -}}")) },
  ...qwenTemplates,
  ...deepseekTemplates,
  ...toolTemplates,
];
