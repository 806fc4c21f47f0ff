// The Jinja engine against Jinja2 itself, set up as transformers does it (fixtures/jinja.json, made
// by reference/jinja.py): the same text, or both refuse; and its bounds.
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RenderedChat } from '@lmflow/sdk';
import { JinjaFault, JinjaTemplate } from '../src/jinja/template.ts';

interface Fixture {
  readonly context: Readonly<Record<string, unknown>>;
  readonly cases: readonly {
    readonly name: string;
    readonly template: string;
    readonly text?: string;
    readonly error?: string;
    /** Python prints an address, which differs from run to run. */
    readonly address?: boolean;
  }[];
}

/** What Jinja2 renders and this engine refuses, by name. */
const REFUSED_HERE = [
  'aggregate: list|random is defined',
  "numbers: '٣'|int",
  'names: self is defined',
  'self',
];

const test = suite('Jinja');
const { context, cases } = JSON.parse(
  readFileSync(new URL('fixtures/jinja.json', import.meta.url), 'utf8'),
) as Fixture;

const fault = (run: () => unknown): JinjaFault => {
  try {
    run();
  } catch (error) {
    assert.instance(error, JinjaFault);
    return error as JinjaFault;
  }
  return assert.unreachable('it is not refused') as never;
};
const render = (source: string, variables: Readonly<Record<string, unknown>> = {}): RenderedChat =>
  new JinjaTemplate(source).render(variables);

for (const { name, template, text, error, address } of cases) {
  test(name, () => {
    if (error !== undefined) fault(() => render(template, context));
    else if (address || REFUSED_HERE.includes(name)) {
      assert.is(fault(() => render(template, context)).kind, 'unsupported');
    } else assert.is(render(template, context).text, text);
  });
}

test('what is refused here is in the fixture', () => {
  for (const name of REFUSED_HERE) assert.ok(cases.some((each) => each.name === name));
});

test('a date in a form that Python knows and this engine does not is refused', () => {
  for (const directive of ['%c', '%U', '%_d', '%^a', '%s', '%-h']) {
    assert.is(fault(() => render(`{{ strftime_now('${directive}') }}`)).kind, 'unsupported');
  }
});

test('a fault names the line', () => {
  assert.is(fault(() => render('a\n{{ b\n}}\n{{ none.x.y }}')).line, 4);
  assert.is(fault(() => render('a\n{% if %}')).line, 2);
});

const LIMITS = { steps: 100_000, made: 1_000_000, printed: 100_000, depth: 50 };
const ENDLESS: Readonly<Record<string, string>> = {
  'nested loops':
    '{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}',
  'a text that doubles':
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
  'a list that doubles':
    '{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}',
  'a repeated text': "{{ 'x' * 10 ** 12 }}",
  'a repeated list': '{{ [1] * 10 ** 12 }}',
  'a wide format': "{{ '%2000000000d' % 1 }}",
  'a wide field': "{{ '{:2000000000}'.format(1) }}",
  'a wide center': "{{ 'x'.center(2 * 10 ** 9) }}",
  'a wide ljust': "{{ 'x'.ljust(2 * 10 ** 9) }}",
  'a wide zfill': "{{ 'x'.zfill(2 * 10 ** 9) }}",
  'wide tabs': "{{ '\t'.expandtabs(2 * 10 ** 9) }}",
  'a wide indent': "{{ 'a\nb'|indent(2 * 10 ** 9) }}",
  'a wide indent of JSON': '{{ [1]|tojson(indent=2 * 10 ** 9) }}',
  'a replacement that grows': "{{ ('a' * 1000).replace('a', 'b' * 10000) }}",
  'a join that grows': "{{ ('b' * 10000).join('a' * 1000) }}",
  'many slices': '{{ [1]|slice(10 ** 9)|list }}',
  'a batch that is filled': "{{ [1]|batch(10 ** 9, 'x')|list }}",
  'a macro without end': '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}',
  'a loop without end': '{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}',
  'much text': "{% for x in range(1000) %}{{ 'x' * 900 }}{% endfor %}",
};
for (const [name, source] of Object.entries(ENDLESS)) {
  test(`${name} ends at a bound`, () => {
    const { kind } = fault(() => new JinjaTemplate(source).render({}, { limits: LIMITS }));
    assert.is(kind, 'budget');
  });
}

test('deep nesting ends at a bound: parentheses, blocks, values', () => {
  assert.is(
    fault(() => render(`{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`)).kind,
    'budget',
  );
  assert.is(fault(() => render('{% if 1 %}'.repeat(100_000))).kind, 'budget');
  let value: unknown = [];
  for (let depth = 0; depth < 100_000; depth++) value = [value];
  assert.is(fault(() => render('{{ v }}', { v: value })).kind, 'budget');
});

test('the usual bounds hold for a long conversation, and a template without end stops soon', () => {
  const messages = Array.from({ length: 10_000 }, () => ({
    role: 'user',
    content: 'x'.repeat(99),
  }));
  const source = '{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}';
  assert.is(render(source, { messages }).text.length, 10_000 * 105);
  assert.is(fault(() => render(ENDLESS['nested loops']!)).kind, 'budget');
});

test('nothing of JavaScript is reachable', () => {
  for (const name of [
    'constructor',
    'prototype',
    '__proto__',
    'toString',
    'valueOf',
    'hasOwnProperty',
    'push',
    'map',
    'entries',
    'size',
    'call',
    'apply',
    'length',
  ]) {
    for (const value of ['s', 'l', 'd', 'n', 'i', 'range', 'namespace()', 's.upper', 'l|list']) {
      const text = render(
        `{{ (${value}).${name} is defined }}{{ (${value})['${name}'] is defined }}`,
        {
          s: 'a',
          l: [1],
          d: { a: 1 },
          n: null,
          i: 5,
        },
      ).text;
      assert.is(text, 'FalseFalse', `${value}.${name}`);
    }
    assert.is(render(`{{ ${name} is defined }}`).text, 'False', name);
    assert.ok(
      fault(() => render(`{{ 1|${name} }}`)),
      name,
    );
    assert.ok(
      fault(() => render(`{{ 1 is ${name} }}`)),
      name,
    );
  }
});

test('keys of an object are keys, whatever they are called', () => {
  const d = JSON.parse('{"__proto__": 1, "constructor": 2, "length": 3}') as unknown;
  assert.is(
    render('{{ d }}{{ d.constructor }}{{ d["__proto__"] }}{{ d.length }}{{ d|length }}', { d })
      .text,
    "{'__proto__': 1, 'constructor': 2, 'length': 3}2133",
  );
});

const GENERATION =
  "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %};{% else %}{{ m.content }};{% endif %}{% endfor %}";
const turns = (...contents: readonly string[]): { role: string; content: string }[] =>
  contents.map((content, at) => ({ role: at % 2 === 0 ? 'user' : 'assistant', content }));

test('generation tags mark places in the text, and the message they are about', () => {
  const { text, tagged, hiddenTags } = render(GENERATION, { messages: turns('a', '😀', 'a', 'b') });
  assert.is(text, 'user:a;assistant:😀;user:a;assistant:b;');
  assert.equal(
    tagged.map(({ start, end, message }) => [text.slice(start, end), start, message]),
    [
      ['😀', 17, 1],
      ['b', 37, 3],
    ],
  );
  assert.is(hiddenTags, false);
});

test('generation tags in a macro have no known place', () => {
  const source = `{% macro f(m) %}{% generation %}{{ m.content }}{% endgeneration %}{% endmacro %}{{ f(messages[1]) }}`;
  assert.equal(render(source, { messages: turns('a', 'b') }), {
    text: 'b',
    tagged: [],
    hasTags: true,
    hiddenTags: true,
  });
});

test.run();
