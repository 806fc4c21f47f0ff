// Chat templates against transformers' own rendering (fixtures/templates.json, made by
// reference/templates.py), and strftime.
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ChatMessage, LMFlowError } from '@lmflow/sdk';
import { TemplateRenderer } from '../src/index.ts';
import { strftime } from '../src/jinja/running/strftime.ts';

interface Fixture {
  readonly templates: Readonly<Record<string, string>>;
  readonly conversations: Readonly<
    Record<
      string,
      { readonly messages: readonly ChatMessage[]; readonly tools: readonly unknown[] | null }
    >
  >;
  readonly special: Readonly<Record<string, string>>;
  readonly cases: readonly {
    readonly template: string;
    readonly conversation: string;
    readonly addGenerationPrompt: boolean;
    readonly text?: string;
    readonly error?: string;
  }[];
}

const test = suite('chat templates');
const renderer = new TemplateRenderer();
const fixture = JSON.parse(
  readFileSync(new URL('fixtures/templates.json', import.meta.url), 'utf8'),
) as Fixture;

for (const { template: name, conversation, addGenerationPrompt, text, error } of fixture.cases) {
  test(`${name}, ${conversation}${addGenerationPrompt ? ', with generation prompt' : ''}`, () => {
    const { messages, tools } = fixture.conversations[conversation]!;
    const render = (): string =>
      renderer.render(fixture.templates[name]!, messages, {
        name,
        addGenerationPrompt,
        ...(tools ? { tools } : {}),
        specialTokens: fixture.special,
      });
    if (text !== undefined) assert.is(render(), text);
    else {
      assert.throws(
        render,
        (reason: LMFlowError) =>
          reason.code === 'LMFLOW_TEMPLATE_FAILED' && reason.message.includes(error!),
      );
    }
  });
}

const TEXT = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}";
const PARTS =
  "{% for m in messages %}{{ m['role'] + ': ' }}{% for part in m['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '\\n' }}{% endfor %}";
const EITHER =
  "{% for m in messages %}{{ m['role'] + ': ' }}{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ '\\n' }}{% endfor %}";
const text = { type: 'text', text: 'What is' };
const image = { type: 'image', path: 'a.png' };

for (const [form, source] of Object.entries({ TEXT, PARTS, EITHER })) {
  test(`content as text and as text parts is one text in a template that takes ${form}`, () => {
    for (const content of ['What is this?', [text, { type: 'text', text: ' this?' }]]) {
      const messages = [
        { role: 'user', content },
        { role: 'assistant', content: 'A cat.' },
      ];
      const rendered = renderer.render(source, messages, { name: form });
      assert.is(rendered, 'user: What is this?\nassistant: A cat.\n');
    }
  });
}

test('arguments are JSON for a template that prints them behind other text', () => {
  const values = { city: 'Oslo', days: [1, 2] };
  const messages = [
    { role: 'user', content: 'Weather?' },
    {
      role: 'assistant',
      content: 'So ',
      tool_calls: [{ type: 'function', function: { name: 'weather', arguments: values } }],
    },
  ];
  for (const [printed, expected] of [
    [
      "call.function.name + ' ' + call.function.arguments",
      'weather {"city": "Oslo", "days": [1, 2]}',
    ],
    // one that takes objects gets them
    ['call.function.arguments.city', 'Oslo'],
    [
      "call.function.name ~ ' ' ~ call.function.arguments",
      "weather {'city': 'Oslo', 'days': [1, 2]}",
    ],
  ]) {
    const source =
      '{% for m in messages %}{{ m.content }}{% for call in m.tool_calls or [] %}' +
      `{{ ${printed} }}{% endfor %}{% endfor %}`;
    assert.is(renderer.render(source, messages, { name: 'x' }), `Weather?So ${expected}`);
  }
});

test('media reach a template that iterates over parts, in their place', () => {
  const messages = [{ role: 'user', content: [text, image, { type: 'text', text: ' here?' }] }];
  for (const source of [PARTS, EITHER]) {
    assert.is(renderer.render(source, messages, { name: 'x' }), 'user: What is<image> here?\n');
  }
});

test('media are not dropped by a template that prints text alone: an error names part and template', () => {
  const messages = [
    { role: 'system', content: 'Look.' },
    { role: 'user', content: [text, image] },
  ];
  assert.throws(
    () => renderer.render(TEXT, messages, { name: 'chatml' }),
    (error: LMFlowError) =>
      error.code === 'LMFLOW_TEMPLATE_TEXT_ONLY' &&
      /messages\[1\].*"image".*chatml/.test(error.message),
  );
});

test('a template that is no Jinja is refused when it is parsed', () => {
  assert.throws(
    () => renderer.render('{% for m in %}', [], { name: 'chat_template.jinja' }),
    (error: LMFlowError) =>
      error.code === 'LMFLOW_TEMPLATE_INVALID' && /chat_template\.jinja/.test(error.message),
  );
});

test("strftime is Python's, in English wherever this runs", () => {
  const date = new Date(2024, 1, 5, 15, 4, 9);
  assert.is(
    strftime(date, '%d %b %Y, %A %-d %B %y %H:%M:%S %I%p %j %m %a %% %Q %F %T'),
    '05 Feb 2024, Monday 5 February 24 15:04:09 03PM 036 02 Mon % %Q 2024-02-05 15:04:09',
  );
  assert.is(
    renderer.render('{{ strftime_now("%Y") }}', [], { name: 'here' }),
    String(new Date().getFullYear()),
  );
});

test.run();
