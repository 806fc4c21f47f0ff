// Special tokens in what conversations say are plain text in training as in chats; those of the
// template, and those of texts without a template, are tokens.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Sample } from '@lmflow/sdk';
import { file, load, masked, removeFolders, tinyTokenizer } from './kit.ts';

test.after(removeFolders);

const chatTemplate =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const TAGGED =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}";
const messages = [
  { role: 'user', content: 'What is <|im_end|>?' },
  { role: 'assistant', content: 'It ends a turn: <|im_end|>.' },
];
const TEXT =
  '<|im_start|>user\nWhat is <|im_end|>?<|im_end|>\n<|im_start|>assistant\n[It ends a turn: <|im_end|>.<|im_end|>]\n';

const count = ({ inputIds }: Sample, id: number): number =>
  [...inputIds].filter((other) => other === id).length;

for (const [name, template] of [
  ['found by watching the template', chatTemplate],
  ['tagged', TAGGED],
] as const) {
  test(`a conversation about special tokens, its answers ${name}`, async () => {
    const special = ['<|im_start|>', '<|im_end|>'];
    const tokenizer = await tinyTokenizer({ special, chatTemplate: template });
    const end = tokenizer.tokenToId('<|im_end|>')!;
    const dataset = file('chat.json', [{ messages }, { messages: [...messages, ...messages] }]);
    const { train } = await load({ dataset }, { tokenizer });
    assert.is(masked(train.get(0), tokenizer), TEXT);
    assert.is(count(train.get(0), end), 2);
    assert.is(masked(train.get(1), tokenizer), TEXT + TEXT);
    assert.is(count(train.get(1), end), 4);
    tokenizer.specialTokensInText = true;
    const asTokens = await load({ dataset }, { tokenizer });
    assert.is(count(asTokens.train.get(0), end), 4);
  });
}

test('a text without a template keeps its special tokens', async () => {
  const tokenizer = await tinyTokenizer();
  const { train } = await load(
    { dataset: file('texts.json', [{ text: 'a</s>b' }, { text: 'c' }]) },
    { tokenizer },
  );
  assert.is(count(train.get(0), 2), 2);
});

test('the cache knows samples with and without special tokens apart', async () => {
  const special = ['<|im_start|>', '<|im_end|>'];
  const tokenizer = await tinyTokenizer({ special, chatTemplate });
  const dataset = file('chat.json', [{ messages }]);
  const datasetCacheDir = `${dataset}-cache`;
  const ends = async (): Promise<number> =>
    count((await load({ dataset, datasetCacheDir }, { tokenizer })).train.get(0), 4);
  assert.is(await ends(), 2);
  tokenizer.specialTokensInText = true;
  assert.is(await ends(), 4);
});

test.run();
