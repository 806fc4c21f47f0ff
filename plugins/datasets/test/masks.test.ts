// Which tokens are trained: the answer with what ends its turn, never a header, for templates of
// every kind.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IGNORED, type ChatMessage, type TrainedAnswers } from '@lmflow/sdk';
import { namedTemplates } from '@lmflow/plugin-chat-templates';
import {
  all,
  failure,
  file,
  folder,
  load,
  loaderOf,
  masked,
  removeFolders,
  tinyTokenizer,
  type TinyTokenizer,
} from './kit.ts';

const templates = Object.fromEntries(namedTemplates.map((template) => [template.name, template]));
const turn = (...contents: readonly string[]): ChatMessage[] =>
  contents.map((content, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content }));
const two = turn('hi', 'yes', 'more', 'no');

/** The first sample of one conversation, its trained parts in brackets. */
async function render(
  messages: readonly ChatMessage[],
  tiny: TinyTokenizer,
  config: Record<string, unknown> = {},
): Promise<string> {
  const tokenizer = await tinyTokenizer(tiny);
  const { train } = await load(
    { dataset: file('chat.json', [{ messages }]), ...config },
    { tokenizer },
  );
  return masked(train.get(0), tokenizer);
}

// Templates as models have them, with what is peculiar about each.
const OWN: Record<
  string,
  { template: string; special?: string[]; messages?: ChatMessage[]; expected: string }
> = {
  chatml: {
    template:
      "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    special: ['<|im_start|>', '<|im_end|>'],
    expected:
      '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[no<|im_end|>]\n',
  },
  'a header even without a generation prompt': {
    template:
      "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}",
    special: ['<|im_start|>', '<|im_end|>'],
    messages: turn('hi', 's', 'a', 'u'),
    expected:
      '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[s<|im_end|>]\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[u<|im_end|>]\n',
  },
  'llama 3, which trims': {
    template:
      "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    special: ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
    messages: turn('hi', '  yes \n'),
    expected:
      '<s><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[yes<|eot_id|>]',
  },
  'mistral, which strips and has no generation prompt': {
    template:
      "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}{{ ' ' + m['content'].strip() + eos_token }}{% endif %}{% endfor %}",
    messages: turn('hi', ' yes ', 'more', 'no '),
    expected: '<s>[INST] hi [/INST][ yes</s>][INST] more [/INST][ no</s>]',
  },
  'phi 3, which ends the text with EOS only at the end': {
    template: templates['phi3']!.source as string,
    special: ['<|user|>', '<|assistant|>', '<|end|>'],
    expected:
      '<s><|user|>\nhi<|end|>\n<|assistant|>\n[yes<|end|>]\n<|user|>\nmore<|end|>\n<|assistant|>\n[no<|end|>\n</s>]',
  },
  'deepseek r1, whose generation prompt opens a thought that history lacks': {
    template:
      "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<U>' + m['content'] }}{% else %}{{ '<A>' + m['content'].split('</think>')[-1] + eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<A><think>\\n' }}{% endif %}",
    special: ['<U>', '<A>'],
    messages: turn('hi', '<think>hm</think>yes', 'more', 'no'),
    expected: '<U>hi<A>[yes</s>]<U>more<A>[no</s>]',
  },
  'qwen 3, which drops the thoughts of earlier turns and adds empty ones to the last': {
    template:
      "{% for m in messages %}{% if m['role'] == 'assistant' %}{% set c = m['content'].split('</think>')[-1] %}{{ '<|im_start|>assistant\\n' + ('<think></think>' if loop.last else '') + c + '<|im_end|>\\n' }}{% else %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    special: ['<|im_start|>', '<|im_end|>'],
    messages: turn('hi', '<think>hm</think>yes', 'more', 'no'),
    expected:
      '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[<think></think>no<|im_end|>]\n',
  },
  'generation marks that leave out the end of the turn': {
    template:
      "{% for m in messages %}{% if m['role'] == 'assistant' %}<|im_start|>assistant\n{% generation %}{{ m['content'] }}{% endgeneration %}<|im_end|>\n{% else %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endif %}{% endfor %}",
    special: ['<|im_start|>', '<|im_end|>'],
    expected:
      '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes]<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[no]<|im_end|>\n',
  },
  'generation marks that have the end of the turn (generation-mask)': {
    template:
      "{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\\n' }}{%- if m['role'] == 'assistant' %}{% generation %}{{- m['content'] + '<|im_end|>' }}{% endgeneration %}{{- '\\n' }}{%- else %}{{- m['content'] + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}",
    special: ['<|im_start|>', '<|im_end|>'],
    messages: turn('Hello', 'Hi!', 'How?', 'So.'),
    expected:
      '<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n[Hi!<|im_end|>]\n<|im_start|>user\nHow?<|im_end|>\n<|im_start|>assistant\n[So.<|im_end|>]\n',
  },
  'generation marks that begin before the line break and go on after the end of the turn': {
    template:
      "{%- for m in messages %}{%- if m['role'] == 'assistant' %}{{- '<|im_start|>assistant' }}{%- generation %}{{- '\\n' + m['content'] + '<|im_end|>\\n' }}{%- endgeneration %}{%- else %}{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}",
    special: ['<|im_start|>', '<|im_end|>'],
    expected:
      '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant[\nyes<|im_end|>\n]<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant[\nno<|im_end|>\n]',
  },
  'generation marks with whitespace control': {
    template:
      "{%- for m in messages -%}{%- if m['role'] == 'assistant' -%}{{- 'A: ' -}}  {%- generation -%}  {{- m['content'] + eos_token -}}  {%- endgeneration -%}  {%- else -%}{{- 'U: ' + m['content'] + ' ' -}}{%- endif -%}{%- endfor -%}",
    expected: 'U: hi A: [yes</s>]U: more A: [no</s>]',
  },
  'no special token at the end of a turn: EOS is put after the last answer': {
    template:
      "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
    expected: 'user: hi\n\nassistant: [yes\n\n]user: more\n\nassistant: [no\n\n</s>]',
  },
  'a template that refuses a conversation that ends with the user': {
    template:
      "{% if messages[-1]['role'] != 'assistant' %}{{ raise_exception('no') }}{% endif %}{% for m in messages %}{{ '<T>' + m['role'] + ' ' + m['content'] }}{% endfor %}{{ '<T>' }}",
    special: ['<T>'],
    messages: turn('a question', 'yes'),
    expected: '<T>user a question<T>assistant [yes<T>]',
  },
  'answers that stand in the question too': {
    template:
      "{% for m in messages %}{{ '<T>' + m['role'] + ' ' + m['content'] }}{% endfor %}{{ '<T>' }}",
    special: ['<T>'],
    messages: turn('yes', 'yes', 'yes no', 'yes'),
    expected: '<T>user yes<T>assistant [yes<T>]user yes no<T>assistant [yes<T>]',
  },
};

for (const [name, { template, special = [], messages = two, expected }] of Object.entries(OWN)) {
  test(`the tokenizer's own template: ${name}`, async () => {
    assert.is(await render(messages, { chatTemplate: template, special }), expected);
  });
}

const NAMED: Record<string, string> = {
  alpaca:
    '<s>Be brief.\n\n### Instruction:\nhi\n\n### Response:[yes</s>]\n\n### Instruction:\nmore\n\n### Response:[no</s>]',
  chatml:
    '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[no<|im_end|>]\n',
  yi1_5:
    'Be brief.<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[no<|im_end|>]\n',
  internlm2:
    '<s><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[no<|im_end|>]\n',
  llama2:
    '<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nhi [/INST][ yes</s>]<s>[INST] more [/INST][ no</s>]',
  llama3:
    '<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[yes<|eot_id|>]<|start_header_id|>user<|end_header_id|>\n\nmore<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[no<|eot_id|>]',
  gemma:
    '<s>Be brief.<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n[yes<end_of_turn>]\n<start_of_turn>user\nmore<end_of_turn>\n<start_of_turn>model\n[no<end_of_turn>]\n',
  phi3: '<s><|system|>\nBe brief.<|end|>\n<|user|>\nhi<|end|>\n<|assistant|>\n[yes<|end|>]\n<|user|>\nmore<|end|>\n<|assistant|>\n[no<|end|>\n</s>]',
  zephyr:
    '<|system|>\nBe brief.</s>\n<|user|>\nhi</s>\n<|assistant|>\n[yes</s>]\n<|user|>\nmore</s>\n<|assistant|>\n[no</s>]',
  mistral: '<s>[INST] Be brief.\n\nhi [/INST][ yes</s>][INST] more [/INST][ no</s>]',
  vicuna: '<s>Be brief. USER: hi ASSISTANT:[ yes</s>] USER: more ASSISTANT:[ no</s>]',
  deepseek: '<s>Be brief.\n\nUser: hi\n\nAssistant:[ yes</s>]User: more\n\nAssistant:[ no</s>]',
  qwen2:
    '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n[no<|im_end|>]\n',
  chatglm3:
    '[gMASK]sop<|system|>\n Be brief.<|user|>\n hi<|assistant|>[\n yes]<|user|>\n more<|assistant|>[\n no]',
  empty: '<s>Be brief.hi[yes</s>]<s>more[no</s>]',
  plain: '<s>Be brief.hi[yes</s>]more[no</s>]',
};

for (const [name, expected] of Object.entries(NAMED)) {
  test(`the named template ${name}`, async () => {
    const special = [...new Set([...(templates[name]!.markers ?? []), '<|system|>'])];
    assert.is(
      await render(
        [{ role: 'system', content: 'Be brief.' }, ...two],
        { special, bos: true },
        { chatTemplate: name },
      ),
      expected,
    );
  });
}

test('every named template trains something and renders without a system message', async () => {
  for (const name of Object.keys(templates)) {
    assert.match(
      await render(two, { bos: true }, { chatTemplate: name, maxTrainSamples: 1 }),
      /\[[^]*no/,
    );
  }
});

test('the fallback is the exact prompt of Stanford Alpaca, with and without input, and is saved', async () => {
  const tokenizer = await tinyTokenizer({ bos: true });
  const records = [
    { instruction: 'Add.', input: '1 2', output: '3' },
    { instruction: 'Say hi.', input: '', output: 'hi' },
  ];
  const { train } = await load({ dataset: file('a.json', records) }, { tokenizer });
  assert.is(
    masked(train.get(0), tokenizer),
    '<s>Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:[3</s>]',
  );
  assert.is(
    masked(train.get(1), tokenizer),
    '<s>Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nSay hi.\n\n### Response:[hi</s>]',
  );
  assert.is(tokenizer.chatTemplateOrigin, 'fallback:alpaca');
  // in a chat the same template gives the prompt that was trained
  assert.is(
    tokenizer.render([{ role: 'user', content: 'Say hi.' }], { addGenerationPrompt: true }),
    '<s>Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nSay hi.\n\n### Response:',
  );
});

test('with a template of its own, alpaca input follows the instruction on a new line', async () => {
  const tokenizer = await tinyTokenizer({
    chatTemplate: OWN['chatml']!.template,
    special: OWN['chatml']!.special!,
  });
  const { train } = await load(
    {
      dataset: file('a.json', [
        { instruction: 'Add.', input: '1 2', output: '3', system: 'Sys.', history: [['q', 'a']] },
      ]),
    },
    { tokenizer },
  );
  assert.is(
    masked(train.get(0), tokenizer),
    '<|im_start|>system\nSys.<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n[a<|im_end|>]\n<|im_start|>user\nAdd.\n1 2<|im_end|>\n<|im_start|>assistant\n[3<|im_end|>]\n',
  );
});

test('BOS comes once: from the template, from the tokenizer, or from the text itself', async () => {
  assert.is(
    await render(turn('hi', 'yes'), {
      bos: true,
      chatTemplate: OWN['llama 3, which trims']!.template,
    }),
    '<s><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[yes<|eot_id|></s>]',
  );
  const tokenizer = await tinyTokenizer({ bos: true });
  const { train } = await load(
    { dataset: file('t.json', [{ text: 'one' }, { text: '<s>two</s>' }]) },
    { tokenizer },
  );
  assert.equal(
    all(train).map((sample) => masked(sample, tokenizer)),
    ['<s>[one</s>]', '<s>[two</s>]'],
  );
  const pairs = await load(
    {
      dataset: file('p.json', [
        { input: 'q', output: ' a' },
        { input: '<s>q', output: ' a</s>' },
      ]),
    },
    { tokenizer },
  );
  assert.equal(
    all(pairs.train).map((sample) => masked(sample, tokenizer)),
    ['<s>q[ a</s>]', '<s>q[ a</s>]'],
  );
});

test('the end of the turn is learned where padding is EOS too', async () => {
  assert.match(await render(turn('hi', 'yes'), { pad: '</s>' }), /\[yes<\/s>\]$/);
});

test('prompt and completion are tokenized together: a merge over the boundary is trained', async () => {
  const tokenizer = await tinyTokenizer({ merges: [['Ġ', 'a']] });
  const { train } = await load(
    {
      dataset: file('p.json', [
        { prompt: 'q: ', completion: 'a' },
        { prompt: 'q:', completion: ' a' },
      ]),
    },
    { tokenizer },
  );
  assert.equal([...train.get(0).inputIds], [...train.get(1).inputIds]);
  assert.is(masked(train.get(0), tokenizer), 'q:[ a</s>]');
});

test('a prompt and completion of messages trains the completion only; weight 0 keeps an answer out', async () => {
  const special = OWN['chatml']!.special!;
  const tokenizer = await tinyTokenizer({ chatTemplate: OWN['chatml']!.template, special });
  const { train } = await load(
    {
      dataset: file('p.json', [
        { prompt: turn('hi', 'yes', 'more'), completion: [{ role: 'assistant', content: 'no' }] },
      ]),
    },
    { tokenizer },
  );
  assert.match(masked(train.get(0), tokenizer), /^[^[]*\[no<\|im_end\|>\]\n$/);
  assert.match(
    await render(
      [...turn('hi'), { role: 'assistant', content: 'yes', weight: 0 }, ...turn('more', 'no')],
      { chatTemplate: OWN['chatml']!.template, special },
    ),
    /^[^[]*\[no/,
  );
});

test('tool calls are trained, tool results are not; a template without tools gets the call as text', async () => {
  const call = {
    role: 'assistant',
    content: '',
    tool_calls: [{ type: 'function', function: { name: 'add', arguments: { a: 1 } } }],
  };
  const messages = [
    ...turn('hi'),
    call as ChatMessage,
    { role: 'tool', content: '3' },
    { role: 'assistant', content: 'three' },
  ];
  const template =
    "{% for m in messages %}{{ '<T>' + m['role'] + '\\n' + m['content'] }}{% if m.tool_calls %}{% for c in m.tool_calls %}{{ 'CALL ' + c.function.name + ' ' + c.function.arguments | tojson }}{% endfor %}{% endif %}{{ '<E>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<T>assistant\\n' }}{% endif %}";
  assert.is(
    await render(messages, { chatTemplate: template, special: ['<T>', '<E>'] }),
    '<T>user\nhi<E>\n<T>assistant\n[CALL add {"a": 1}<E>]\n<T>tool\n3<E>\n<T>assistant\n[three<E>]\n',
  );
  const chatml = { chatTemplate: OWN['chatml']!.template, special: OWN['chatml']!.special! };
  assert.match(
    await render(messages, chatml),
    /\[\{"name":"add","arguments":\{"a":1\}\}<\|im_end\|>\]/,
  );
  const tokenizer = await tinyTokenizer(chatml);
  const shared = [
    { from: 'human', value: 'hi' },
    { from: 'function_call', value: '{"name": "add", "arguments": {"a": 1}}' },
    { from: 'observation', value: '3' },
    { from: 'gpt', value: 'three' },
  ];
  const { train } = await load(
    { dataset: file('s.json', [{ conversations: shared, tools: '[{"name": "add"}]' }]) },
    { tokenizer },
  );
  assert.is(masked(train.get(0), tokenizer), await render(messages, chatml));
});

test('text parts are one text, also for a template that iterates over parts, which gets text as a part', async () => {
  const parts = [
    { type: 'text', text: 'y' },
    { type: 'text', text: 'es' },
  ];
  const messages = [
    { role: 'user', content: [{ type: 'text', text: 'hi' }] },
    { role: 'assistant', content: parts },
  ];
  const iterating =
    "{% for m in messages %}{{ '<T>' + m.role + ' ' }}{% for part in m.content %}{{ part['text'] }}{% endfor %}{{ '<E>' }}{% endfor %}{% if add_generation_prompt %}{{ '<T>assistant ' }}{% endif %}";
  for (const template of [
    iterating,
    iterating.replace(
      "{% for part in m.content %}{{ part['text'] }}{% endfor %}",
      '{{ m.content }}',
    ),
  ]) {
    assert.is(
      await render(messages, { chatTemplate: template, special: ['<T>', '<E>'] }),
      '<T>user hi<E><T>assistant [yes<E>]',
    );
  }
});

test('trainOnPrompt trains everything but the first token', async () => {
  assert.is(
    await render(
      turn('hi', 'yes'),
      { chatTemplate: OWN['chatml']!.template, special: OWN['chatml']!.special! },
      { trainOnPrompt: true },
    ),
    '<|im_start|>[user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n]',
  );
});

const SEVERAL = {
  chatTemplate:
    "{%- for m in messages %}{%- if m['role'] == 'user' %}{{- '<T>' + m['content'] }}{%- elif m['content'] == 'plain' %}{{- '<A>' + m['content'] }}{%- else %}{{- '<A>' }}{%- generation %}{{- 'a' }}{%- endgeneration %}{{- 'b' }}{%- generation %}{{- m['content'] }}{%- endgeneration %}{%- endif %}{%- endfor %}",
  special: ['<T>', '<A>'],
};

test('several generation marks in an answer, and none in another: just these, and no token is added', async () => {
  assert.is(
    await render(turn('hi', 'yes', 'more', 'plain'), SEVERAL),
    '<T>hi<A>[a]b[yes]<T>more<A>plain',
  );
});

test('generation marks belong to their message: weight 0 and maskHistory choose among them', async () => {
  const messages = turn('hi', 'plain', 'more', 'no', 'and', 'yes');
  const weighted = messages.with(3, { ...messages[3]!, weight: 0 });
  assert.is(await render(weighted, SEVERAL), '<T>hi<A>plain<T>more<A>abno<T>and<A>[a]b[yes]');
  assert.is(
    await render(messages, SEVERAL, { maskHistory: true }),
    '<T>hi<A>plain<T>more<A>abno<T>and<A>[a]b[yes]',
  );
});

test('generation marks in a macro have no place: an error', async () => {
  const chatTemplate =
    '{% macro say(m) %}{% generation %}{{ m.content }}{% endgeneration %}{% endmacro %}{% for m in messages %}{{ say(m) }}{% endfor %}';
  const error = await failure(() => render(turn('hi', 'yes'), { chatTemplate }));
  assert.is(error.code, 'LMFLOW_TEMPLATE_TAGS_HIDDEN');
});

const STRIPPING =
  "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %}A:{{ message.content.lstrip('\\n').rstrip('|') }}{{ eos_token }}{% else %}U:{{ message.content.strip('*') }}{% endif %}{% endfor %}{% if add_generation_prompt %}A:{% endif %}";

test('template-strip-characters: strip removes the characters it is given, and only these', async () => {
  const tiny = { chatTemplate: STRIPPING };
  assert.is(
    await render(turn('*next line?*', '\n\n    return x + 1||'), tiny),
    '<s>U:next line?A:[    return x + 1</s>]',
  );
  assert.is(
    await render(turn('  keep my spaces  ', '\n  - item  |'), tiny),
    '<s>U:  keep my spaces  A:[  - item  </s>]',
  );
});

const VALUES =
  '{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for call in m.tool_calls or [] %}<call={{ call.function.name }}>{% for name, value in call.function.arguments | items %}<arg={{ name }}>{{ value }}</arg>{% endfor %}</call>{% endfor %}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}';

test('template-python-values: a value is printed as Python prints it, by itself and with string', async () => {
  const given = { city: 'Oslo', days: 3, exact: true, unit: null, hours: ['am', 'pm'] };
  const messages = [
    { role: 'user', content: 'Forecast?' },
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ type: 'function', function: { name: 'forecast', arguments: given } }],
    },
  ];
  for (const chatTemplate of [VALUES, VALUES.replace('{{ value }}', '{{ value | string }}')]) {
    const tokenizer = await tinyTokenizer({ chatTemplate });
    assert.is(
      tokenizer.render(messages),
      "<s>[user]Forecast?</s>[assistant]<call=forecast><arg=city>Oslo</arg><arg=days>3</arg><arg=exact>True</arg><arg=unit>None</arg><arg=hours>['am', 'pm']</arg></call></s>",
    );
  }
});

test('maskHistory trains the last answer only, for every way of finding it; weight 0 holds', async () => {
  for (const [name, { template, special = [], messages = two }] of Object.entries(OWN)) {
    const tokenizer = await tinyTokenizer({ chatTemplate: template, special });
    const labels = async (config: Record<string, unknown>): Promise<number[]> => {
      const dataset = file('chat.json', [{ messages }]);
      const { train } = await load({ dataset, ...config }, { tokenizer });
      return [...train.get(0).labels];
    };
    const every = await labels({});
    const last = every.findLastIndex((label) => label !== IGNORED);
    const before = every.findLastIndex((label, at) => at < last && label === IGNORED);
    assert.equal(
      await labels({ maskHistory: true }),
      every.map((label, at) => (at <= before ? IGNORED : label)),
      name,
    );
  }
  const chatml = { chatTemplate: OWN['chatml']!.template, special: OWN['chatml']!.special! };
  const untrained = [...turn('hi', 'yes', 'more'), { role: 'assistant', content: 'no', weight: 0 }];
  const error = await failure(() => render(untrained, chatml, { maskHistory: true }));
  assert.is(error.code, 'LMFLOW_DATASET_NO_TRAINED_TOKENS');
});

test('a request chooses the answers, whatever the configuration says; the caches are apart', async () => {
  const special = OWN['chatml']!.special!;
  const tokenizer = await tinyTokenizer({ chatTemplate: OWN['chatml']!.template, special });
  const dataset = file('chat.json', [{ messages: two }]);
  const datasetCacheDir = folder();
  const trained = async (
    config: Record<string, unknown>,
    answers?: TrainedAnswers,
  ): Promise<number> => {
    const loader = loaderOf({ dataset, datasetCacheDir, ...config });
    const { train } = await loader.load({
      tokenizer,
      maxPositions: 512,
      ...(answers ? { answers } : {}),
    });
    return masked(train.get(0), tokenizer).split('[').length - 1;
  };
  assert.equal(
    [
      await trained({}),
      await trained({}, 'last'),
      await trained({ maskHistory: true }),
      await trained({ maskHistory: true }, 'all'),
    ],
    [2, 1, 1, 2],
  );
  for (const work of [
    () => trained({ maskHistory: true, trainOnPrompt: true }),
    () => trained({ trainOnPrompt: true }, 'last'),
  ]) {
    assert.match((await failure(work)).message, /trainOnPrompt/);
  }
});

test('an earlier answer that cannot be found does not matter where only the last is trained', async () => {
  const template =
    "{% for m in messages %}{{ '<T>' + m['role'] + ' ' + (m['content'] if loop.last or m['role'] == 'user' else 'so') }}{% endfor %}{{ '<T>' }}";
  const special = ['<T>'];
  assert.is(
    (await failure(() => render(two, { chatTemplate: template, special }))).code,
    'LMFLOW_DATASET_SPANS',
  );
  assert.is(
    await render(two, { chatTemplate: template, special }, { maskHistory: true }),
    '<T>user hi<T>assistant so<T>user more<T>assistant [no<T>]',
  );
});

test('a message after the last answer is left away', async () => {
  assert.is(
    await render(turn('hi', 'yes', 'and?'), {
      chatTemplate: OWN['chatml']!.template,
      special: OWN['chatml']!.special!,
    }),
    '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>]\n',
  );
});

test('what the template does with the answer cannot be found: an error that names the message', async () => {
  const error = await failure(() =>
    render(turn('hi', 'yes'), {
      chatTemplate: "{% for m in messages %}{{ m['role'] }}{% endfor %}",
    }),
  );
  assert.is(error.code, 'LMFLOW_DATASET_SPANS');
  assert.match(error.message, 'chat.json, record 0');
});

test.after(removeFolders);
test.run();
