// Numbers of messages and tools in templates: they print as they are written, and count as what
// Python reads them as.
import { parseJson } from '@lmflow/sdk';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { JinjaTemplate } from '../src/jinja/template.ts';

const render = (source: string, json: string): string =>
  new JinjaTemplate(source).render({ x: parseJson(json) }).text;

test('numbers are printed as they are written, by tojson, str and repr', () => {
  const written = ['1e5', '1.0', '0.10', '-0', '-0.0', '1E+25', '9007199254740993', '0.5', '7'];
  for (const number of written) {
    assert.is(render('{{ x | tojson }}', number), number);
    assert.is(render('{{ x }}', number), number);
    assert.is(render('{{ [x] }}', number), `[${number}]`);
    assert.is(render("{{ '%s' % x }}{{ x ~ '' }}", number), number + number);
  }
  assert.is(render('{{ x | tojson }}', '{"b": 1.50, "10": [1e0]}'), '{"b": 1.50, "10": [1e0]}');
});

test('they count as the numbers that they are', () => {
  const source =
    "{{ x + 1 }} {{ x == 100000 }} {{ x > 99999.5 }} {{ x | int }} {{ x is float }} {{ x is number }} {{ '%d' % x }} {{ '{:.1f}'.format(x) }} {{ {x: 1}[100000] }}";
  // what Jinja2 3.1 prints for the float 1e5
  assert.is(render(source, '1e5'), '100001.0 True True 100000 True True 100000 100000.0 1');
  assert.is(render('{{ 1 if x else 2 }} {{ x is integer }}', '-0'), '2 True');
  assert.is(render('{{ 1 if x else 2 }} {{ x is integer }}', '0e3'), '2 False');
});

test.run();
