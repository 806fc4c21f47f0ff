// Chat templates against transformers' own rendering (fixtures/templates.json, made by
// reference/templates.py), and strftime.
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ChatMessage, LMFlowError } from '@lmflow/sdk';
import { TemplateRenderer } from '../src/index.ts';
import { strftime } from '../src/rendering/strftime.ts';

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
