// Everything that is meant to be trained is in what the template printed, or it is said, counted and
// named: text, reasoning, calls, tools, and where answers begin.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { all, file, keepingLog, load, masked, removeFolders, tinyTokenizer } from './kit.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** What is trained, in brackets, and what was said of the template. */
async function trained(
  dataset: unknown,
  chatTemplate: string,
  config: Record<string, unknown> = {},
): Promise<{ texts: string[]; warnings: string[]; quiet: string[] }> {
  const tokenizer = await tinyTokenizer({ chatTemplate, special: ['<|User|>', '<|Assistant|>'] });
  const log = keepingLog();
  const { train } = await load(
    { dataset, blockSize: 2048, ...config },
    {
      tokenizer,
      log,
      maxPositions: 4096,
    },
  );
  const warnings = log.lines.filter((line) => line.startsWith('warning: '));
  return {
    texts: all(train).map((sample) => masked(sample, tokenizer)),
    warnings: warnings.map((line) => line.slice('warning: '.length)),
    quiet: log.lines.filter((line) =>
      /answers before the last question|as lines of JSON/.test(line),
    ),
  };
}

const source = (name: string): string => readFileSync(fixture(name), 'utf8');
const CALL = '{"name":"weather","arguments":{"city":"Oslo"}}';

test('case tool-call-beside-text: a template that prints no calls gets them behind the text', async () => {
  const data = fixture('tool-call-beside-text/data.jsonl');
  const { texts, warnings, quiet } = await trained(
    data,
    source('tool-call-beside-text/template.jinja'),
  );
  assert.ok(texts[0]!.includes(`[assistant][Let me look.\n${CALL}</s>]`), texts[0]);
  assert.ok(texts[0]!.endsWith('[assistant][It is 4 C.</s>]'), texts[0]);
  assert.equal(warnings, []);
  assert.match(quiet[0]!, /prints no tool calls: in 1 of 1 conversations/);
});

test('case tool-call-beside-text: a template that prints calls without text only is noticed', async () => {
  const data = fixture('tool-call-beside-text/data.jsonl');
  const template = source('tool-call-beside-text/template-content-first.jinja');
  const { texts, warnings } = await trained(data, template);
  assert.ok(texts[0]!.includes('[assistant][Let me look.</s>]'), texts[0]);
  assert.equal(warnings, [
    'the chat template leaves out tool calls in 1 of 1 conversations ' +
      '(data.jsonl, line 1, messages[1]): the model does not learn it. ' +
      'Set chatTemplate to a template that prints it.',
  ]);
});

test('case template-drops-reasoning: the reasoning that is cut out is counted and named', async () => {
  const data = fixture('template-drops-reasoning/data.jsonl');
  const { warnings } = await trained(data, source('template-drops-reasoning/template.jinja'));
  assert.equal(warnings, [
    'the chat template leaves out the reasoning of answers in 1 of 1 conversations ' +
      '(data.jsonl, line 1, messages[1]): the model does not learn it. ' +
      'Set chatTemplate to a template that prints it.',
    'answers begin behind another text than generation gives them, in 1 of 1 conversations ' +
      '(data.jsonl, line 1, messages[1]): behind "r|>What is 2 + 2?<|Assistant|>" in training, ' +
      'behind "r|>What is 2 + 2?<|Assistant|><think>\\n" in generation. ' +
      'Set chatTemplate to a template that prints one text before both.',
  ]);
});

/** ChatML with a place for what a test varies: how an answer is printed. */
const chat = (answer: string, before = ''): string =>
  `${before}{% for m in messages %}<s>{{ m.role }}\n{% if m.role == 'assistant' %}${answer}{% else %}` +
  '{{ m.content }}{% endif %}</s>\n{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}';
const CALLS =
  '{% for c in m.tool_calls or [] %}<call>{{ c.function.name }} {{ c.function.arguments | tojson }}</call>{% endfor %}';
const turn = (answer: object): object[] => [
  { role: 'user', content: 'Go on.' },
  { role: 'assistant', content: '', ...answer },
];
const called = (...cities: string[]): object => ({
  tool_calls: cities.map((city) => ({ function: { name: 'weather', arguments: { city } } })),
});
const said = async (record: object, template: string, config = {}): Promise<string[]> => {
  const { warnings, quiet } = await trained(file('d.jsonl', record), template, config);
  return [...warnings, ...quiet.map((line) => `quiet: ${line}`)];
};

test('nothing is said where everything is printed, however it is written', async () => {
  const answers: readonly object[] = [
    { content: ' Spaces \n\n around\tit. ' },
    { content: '<think>\nTwo.\n</think>\n\nFour.', ...called('Oslo') },
    { content: 'Four.', reasoning_content: 'Two.\n', ...called('Oslo', 'Oslo') },
    { ...called('Os"lo\\ \n é😀') },
    {
      content: [
        { type: 'text', text: 'A' },
        { type: 'text', text: 'B' },
      ],
    },
  ];
  const templates = [
    chat(
      `{% if m.reasoning_content %}<think>{{ m.reasoning_content | trim }}</think>{% endif %}{{ m.content | trim }}${CALLS}`,
    ),
    chat(
      `{% if m.reasoning_content %}{{ m.reasoning_content | tojson }}{% endif %}{{ m.content | tojson }}` +
        '{% for c in m.tool_calls or [] %}<f={{ c.function.name }}>{% for k, v in c.function.arguments.items() %}' +
        '<{{ k }}>\n{{ v }}\n</{{ k }}>{% endfor %}</f>{% endfor %}',
    ),
    chat(
      `{% generation %}{{ m.reasoning_content or '' }}{{ m.content }}${CALLS}</s>{% endgeneration %}`,
    ),
  ];
  for (const template of templates) {
    for (const answer of answers) {
      assert.equal(await said({ messages: turn(answer) }, template), [], JSON.stringify(answer));
    }
  }
});

test('text, reasoning and calls that are left out are told, each with its place', async () => {
  const cases: readonly (readonly [answer: object, template: string, what: string])[] = [
    [{ content: 'A long answer.' }, chat('{{ m.content[:6] }}'), 'text'],
    [{ content: 'It is "4".' }, chat("{{ m.content | replace('4', '5') }}"), 'text'],
    [{ content: 'Hi', reasoning: 'Why' }, chat('{{ m.content }}'), 'the reasoning of answers'],
    [{ content: 'Hi', thinking: 'Why' }, chat('{{ m.content }}'), 'the reasoning of answers'],
    [
      { content: '[THINK]Why[/THINK]Hi' },
      chat("{{ m.content.split('[/THINK]')[-1] }}"),
      'the reasoning of answers',
    ],
    [called('Oslo', 'Rome'), chat(CALLS.replace('or []', '[:1]')), 'tool calls'],
    [called('Oslo', 'Oslo'), chat(CALLS.replace('or []', '[:1]')), 'tool calls'],
    [called('Oslo'), chat(CALLS.replace('{{ c.function.arguments | tojson }}', '')), 'tool calls'],
    [
      { content: 'Hi', ...called('Oslo') },
      chat(`{% if m.tool_calls %}${CALLS}{% else %}{{ m.content }}{% endif %}`),
      'text',
    ],
    [
      { content: 'Hi', ...called('Oslo') },
      chat(`{% generation %}{{ m.content }}{% endgeneration %}${CALLS}`),
      'tool calls',
    ],
  ];
  for (const [answer, template, what] of cases) {
    const lines = await said({ messages: turn(answer) }, template);
    const told = lines.filter((line) => line.startsWith('the chat template leaves out'));
    assert.equal(told, [
      `the chat template leaves out ${what} in 1 of 1 conversations ` +
        '(d.jsonl, line 1, messages[1]): the model does not learn it. ' +
        'Set chatTemplate to a template that prints it.',
    ]);
  }
});

test('answers that are not trained are not looked at; with trainOnPrompt the prompt is', async () => {
  const short = chat('{{ m.content[:3] }}');
  const messages = [...turn({ content: 'A long one.', weight: 0 }), ...turn({ content: 'Hi' })];
  assert.equal(await said({ messages }, short), []);
  const last = [...turn({ content: 'A long one.' }), ...turn({ content: 'Hi' })];
  assert.equal(await said({ messages: last }, short, { maskHistory: true }), []);
  const system = {
    messages: [{ role: 'system', content: 'Be kind.' }, ...turn({ content: 'Hi' })],
  };
  const without = chat(
    '{{ m.content }}',
    "{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}",
  );
  assert.equal(await said(system, without), []);
  assert.match(
    (await said(system, without, { trainOnPrompt: true })).join('\n'),
    /leaves out text in 1 of 1 .*messages\[0\]/,
  );
});

test('tools that the template does not print are told', async () => {
  const parameters = { type: 'object', properties: { city: { type: 'string' } } };
  const record = {
    messages: turn({ content: 'Hi', ...called('Oslo') }),
    tools: [{ type: 'function', function: { name: 'weather', parameters } }],
  };
  const print = (what: string): string => `{% for t in tools or [] %}{{ ${what} }}{% endfor %}`;
  assert.equal(await said(record, chat(`{{ m.content }}${CALLS}`, print('t | tojson'))), []);
  for (const before of ['', print('t.function.name')]) {
    assert.equal(await said(record, chat(`{{ m.content }}${CALLS}`, before)), [
      'the chat template leaves out tools that the model may call in 1 of 1 conversations ' +
        '(d.jsonl, line 1): the model does not learn it. ' +
        'Set chatTemplate to a template that prints it.',
    ]);
  }
});

test('what is left out of earlier turns only is told quietly, with its numbers', async () => {
  const thinking = { content: 'Four.', reasoning_content: 'Two and two.' };
  const template = chat(
    '{% if loop.last and m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}',
  );
  const records = Array.from({ length: 5 }, () => ({
    messages: [...turn(thinking), ...turn(thinking)],
  }));
  const dataset = file('d.json', records);
  const { warnings, quiet } = await trained(dataset, template);
  assert.equal(warnings, []);
  assert.equal(quiet, [
    'the chat template leaves out the reasoning of answers before the last question in 5 of 5 ' +
      'conversations (d.json, record 0 (line 1), messages[1]; d.json, record 1 (line 1), ' +
      'messages[1]; d.json, record 2 (line 1), messages[1]; ...): the model does not learn it. ' +
      'Set chatTemplate to a template that prints it.',
  ]);
});

test('a template that gives generation another header than training is told', async () => {
  const cases: readonly (readonly [template: string, told: boolean])[] = [
    [chat('{{ m.content }}'), false],
    [
      chat('{{ m.content }}').replace(
        '<s>assistant\n{% endif %}',
        '<s>assistant\n<think>{% endif %}',
      ),
      true,
    ],
    [
      chat('{{ m.content }}').replace(
        '{% if add_generation_prompt %}<s>assistant\n{% endif %}',
        '',
      ),
      true,
    ],
    [chat('<out>{% generation %}{{ m.content }}</s>{% endgeneration %}'), true],
    [chat('{% generation %}{{ m.content }}</s>{% endgeneration %}'), false],
  ];
  for (const [template, told] of cases) {
    const lines = await said({ messages: turn({ content: 'Hi' }) }, template);
    assert.is(
      lines.some((line) => line.startsWith('answers begin behind another')),
      told,
      template,
    );
  }
});

test('a special token in a message stands in what is told as it was written', async () => {
  const template = chat('{{ m.content }}').replace(
    '<s>assistant\n{% endif %}',
    '<s>assistant\n<think>{% endif %}',
  );
  const messages = [
    { role: 'user', content: 'What is <|User|>?' },
    { role: 'assistant', content: 'A token.' },
  ];
  const [line] = await said({ messages }, template);
  assert.match(line!, /What is <\|User\|>\?<\/s>/);
  assert.not.match(line!, /[\uE000-\uF8FF]/);
});

test('keys of turns that nobody reads are told; it is said again where tokens are cached', async () => {
  const messages = turn({ content: 'Hi', mood: 'good', train_detail: [1], id: 7 });
  const dataset = file('d.jsonl', { messages });
  const config = { datasetCacheDir: file('x', '').replace(/x$/, 'cache') };
  const expected = ['train_detail', 'id'].map(
    (key) =>
      `the key "${key}" of turns is read neither by LMFlow nor by the chat template, ` +
      'in 1 of 1 conversations (d.jsonl, line 1)',
  );
  for (let run = 0; run < 2; run++) {
    const { warnings } = await trained(dataset, chat('{{ m.content }}{{ m.mood }}'), config);
    assert.equal(warnings, expected);
  }
});

test.after(removeFolders);
test.run();
