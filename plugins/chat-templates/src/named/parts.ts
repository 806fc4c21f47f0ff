// What named templates are built of: pieces of Jinja. Whitespace control is explicit, so that trim
// settings do not matter. No template is here.

/** Statements joined without the line breaks between them. */
export const jinja = (...lines: readonly string[]): string =>
  lines.map((line) => line.trim()).join('');

export const BOS = "{{- bos_token or '' -}}";
export const EOS = "(eos_token or '')";

/** A text as a Jinja literal. */
export const literal = (text: string): string => JSON.stringify(text);

export const each = (...body: readonly string[]): string =>
  jinja('{%- for message in messages -%}', ...body, '{%- endfor -%}');

export const prompt = (text: string): string =>
  `{%- if add_generation_prompt -%}{{- ${text} -}}{%- endif -%}`;

/**
 * Sets `turns` to the messages behind a system message that comes first, and `lead` to what is
 * printed for that; to `otherwise` where there is none.
 */
export const foldSystem = (lead: string, otherwise = "''"): string =>
  jinja(
    "{%- if messages[0]['role'] == 'system' -%}",
    `{%- set lead = ${lead} -%}`,
    '{%- set turns = messages[1:] -%}',
    '{%- else -%}',
    `{%- set lead = ${otherwise} -%}`,
    '{%- set turns = messages -%}',
    '{%- endif -%}',
  );

export const eachTurn = (...body: readonly string[]): string =>
  jinja('{%- for message in turns -%}', ...body, '{%- endfor -%}');

/** Tools, each as JSON. */
export const eachTool = (...body: readonly string[]): string =>
  jinja('{%- for tool in tools or [] -%}', ...body, '{%- endfor -%}');

/** The calls of an answer: `name` and `values`, the arguments as JSON. */
export const eachCall = (...body: readonly string[]): string =>
  jinja(
    "{%- for call in message['tool_calls'] or [] -%}",
    '{%- set called = call.function or call -%}',
    '{%- set name = called.name -%}',
    '{%- set values = called.arguments if called.arguments is string else called.arguments | tojson -%}',
    ...body,
    '{%- endfor -%}',
  );

/** Refuses a role: a template that prints it in some way prints what no model has seen. */
export const onlyUserAndAssistant = (template: string): string =>
  `{{- raise_exception('${template} knows the roles system (first), user and assistant only') -}}`;

/** Sets `question` of `place` to the index of the last question in `turns`. */
export const LAST_QUESTION = jinja(
  '{%- set place = namespace(question=-1) -%}',
  eachTurn(
    "{%- if message['role'] == 'user' -%}{%- set place.question = loop.index0 -%}{%- endif -%}",
  ),
);

/** Sets `reasoning` and `content` of an answer, whether its reasoning is apart or in its text. */
export const ANSWER_PARTS = jinja(
  "{%- set content = message['content'] or '' -%}",
  "{%- set reasoning = message['reasoning_content'] or message['reasoning'] or message['thinking'] or '' -%}",
  "{%- if '</think>' in content and not reasoning -%}",
  "{%- set reasoning = content.split('</think>')[0].split('<think>')[-1] -%}",
  "{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}",
  '{%- endif -%}',
);

/** The reasoning of an answer between its tags. */
export const THOUGHT = "'<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n'";
