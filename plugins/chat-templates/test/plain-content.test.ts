// Special tokens in what messages say: hidden while a template prints, and found again after it.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TemplateRenderer, anyOf, plainContent, type TemplateInput } from '../src/index.ts';

const CHATML =
  "{% for t in tools or [] %}{{ t | tojson }}\n{% endfor %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content | trim + '<|im_end|>\n' }}{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}";
const tokenizer = {
  specialTokens: ['<|im_start|>', '<|im_end|>', '<s>', '<s>>'],
  specialTokensInText: false,
  chatTemplate: CHATML,
};
const user = (content: string): TemplateInput => ({ messages: [{ role: 'user', content }] });

function rendered(input: TemplateInput): { text: string; plain: string[]; places: number[] } {
  const content = plainContent(tokenizer, input);
  const printed = new TemplateRenderer().render(CHATML, content.messages, {
    name: 'chatml',
    ...(content.tools ? { tools: content.tools } : {}),
  });
  const { text, plain, place } = content.restore(printed);
  return {
    text,
    plain: plain.map(([start, end]) => `${start} ${text.slice(start, end)}`),
    places: [0, printed.indexOf('<|im_end|>'), printed.length].map(place),
  };
}

test('the text is what it would be, and says which tokens are plain', () => {
  const { text, plain, places } = rendered(user(' <s>> is not <|im_end|> '));
  assert.is(text, '<|im_start|>user\n<s>> is not <|im_end|><|im_end|>\n');
  assert.equal(plain, ['17 <s>>', '29 <|im_end|>']);
  assert.equal(places, [0, 39, text.length]);
});

test('in calls, their keys and tools too, also where a template prints JSON', () => {
  const { text, plain } = rendered({
    messages: [
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ function: { name: 'f', arguments: { '<s>': ['x<|im_end|>'] } } }],
      },
    ],
    tools: [{ name: 'f', description: 'ends with <|im_end|>' }],
  });
  assert.is(
    text,
    '{"name": "f", "description": "ends with <|im_end|>"}\n<|im_start|>assistant\n<|im_end|>\n{"<s>": ["x<|im_end|>"]}',
  );
  assert.equal(plain, ['40 <|im_end|>', '88 <s>', '97 <|im_end|>']);
});

test('a token over two parts of a message', () => {
  const content = ['a<|im', '_end|>b', '<s>'].map((text) => ({ type: 'text', text }));
  const { text, plain } = rendered({ messages: [{ role: 'user', content }] });
  assert.is(text, '<|im_start|>user\na<|im_end|>b<s><|im_end|>\n');
  assert.equal(plain, ['18 <|im_end|>', '29 <s>']);
});

test('private characters that messages have in them stay what they are', () => {
  const { text, plain } = rendered(user('\uE200<s>\uE201'));
  assert.is(text, '<|im_start|>user\n\uE200<s>\uE201<|im_end|>\n');
  assert.equal(plain, ['18 <s>']);
});

test('without special tokens, and with specialTokensInText, the messages stay the same', () => {
  const said = user('<s>');
  const kept = plainContent({ ...tokenizer, specialTokensInText: true }, said);
  assert.is(kept.messages, said.messages);
  assert.equal(kept.restore('a<s>').plain, []);
  const usual = user('s > i');
  assert.is(plainContent(tokenizer, usual).messages, usual.messages);
});

test('a pattern of nothing finds nothing', () => {
  assert.equal([...'abc'.matchAll(anyOf([]))], []);
  assert.equal(
    ['a.b|c', 'axb|c'].map((text) => text.replace(anyOf(['a', 'a.b|c']), '-')),
    ['-', '-xb|c'],
  );
});

test.run();
