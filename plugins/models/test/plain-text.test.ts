// Special tokens of a text that are plain text. The ids without any special token are those of
// Python's tokenizers 0.23.2 with encode_special_tokens.
import { writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { anyOf } from '@lmflow/plugin-chat-templates';
import type { LMFlowError, TextRange, Tokenizer } from '@lmflow/sdk';
import { loadTokenizer } from '../src/tokenizer/tokenizer.ts';
import { removeFolders, shared, temporaryFolder, tinyTokenizer } from './folders.ts';

const test = suite('plain text');
test.after(removeFolders);

const STORIES = join(shared, 'models/stories260k');

/** Where special tokens are in a text. */
const rangesOf = ({ specialTokens }: Tokenizer, text: string): TextRange[] =>
  [...text.matchAll(anyOf(specialTokens))].map(({ index, 0: token }) => [
    index,
    index + token.length,
  ]);

async function tiny(change: (json: Json) => void = () => undefined): Promise<Tokenizer> {
  const folder = await temporaryFolder();
  const json = tinyTokenizer() as unknown as Json;
  change(json);
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(json));
  await writeFile(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ bos_token: '<s>', eos_token: '</s>' }),
  );
  return loadTokenizer(folder);
}
interface Json {
  added_tokens: Record<string, unknown>[];
  model: { vocab: Record<string, number>; merges: [string, string][] };
}

if (existsSync(STORIES)) {
  test('all of them: what Python gives', async () => {
    const tokenizer = await loadTokenizer(STORIES);
    assert.equal(tokenizer.specialTokens, ['<unk>', '<s>', '</s>']);
    const text = 'a <unk><s></s> é😀 <s>b</s>';
    const expected = [
      261, 410, 504, 379, 433, 505, 504, 419, 505, 504, 492, 419, 505, 410, 485, 243, 162, 155, 131,
      410, 504, 419, 505, 430, 504, 492, 419, 505,
    ];
    const plain = rangesOf(tokenizer, text);
    assert.equal([...tokenizer.encode(text, { plain }).ids], expected);
    const [batch] = await tokenizer.encodeBatch([text], { plain: [plain] });
    assert.equal([...batch!.ids], expected);
  });

  test('some of them: the others stay, offsets are those of the text', async () => {
    const tokenizer = await loadTokenizer(STORIES);
    const text = 'a <unk><s></s> é😀 <s>b</s>';
    const plain = rangesOf(tokenizer, text).slice(3);
    const { ids, offsets } = tokenizer.encode(text, { plain });
    const usual = tokenizer.encode(text);
    const before = usual.ids.lastIndexOf(1);
    assert.equal(ids.slice(0, before), usual.ids.slice(0, before));
    assert.equal(offsets.slice(0, 2 * before), usual.offsets.slice(0, 2 * before));
    assert.equal([...ids.slice(before)], [504, 419, 505, 430, 504, 492, 419, 505]);
    const pieces = [...ids].map((_, at) => text.slice(offsets[2 * at], offsets[2 * at + 1]));
    assert.is(pieces.slice(before).join(''), '<s>b</s>');
    const batch = await tokenizer.encodeBatch([text, text], { plain: [plain, []] });
    assert.equal(batch, [{ ids, offsets }, usual]);
  });
}

test('a token with a role is special whatever its flag says, others keep their ids', async () => {
  const tokenizer = await tiny((json) => {
    for (const token of json.added_tokens) token['special'] = token['content'] === '<unk>';
    for (const [index, content] of ['<think>', '<|end|>'].entries()) {
      const id = 96 + index;
      json.added_tokens.push({ ...json.added_tokens[0], id, content, special: index === 1 });
    }
  });
  assert.equal(tokenizer.specialTokens, ['<unk>', '<s>', '</s>', '<|end|>']);
  const text = '</s><think><|end|>x</s>';
  const whole = tokenizer.encode(text).ids;
  assert.equal([...whole.slice(0, 3)], [2, 96, 97]);
  const { ids } = tokenizer.encode(text, { plain: [[19, 23]] });
  assert.equal([...ids.slice(0, 3)], [2, 96, 97]);
  assert.is(tokenizer.decode(ids.slice(3)), 'x</s>');
  assert.is(ids.length, 8);
  const all = tokenizer.encode(text, { plain: rangesOf(tokenizer, text) }).ids;
  assert.equal(
    [...all].filter((id) => id <= 2 || id >= 96),
    [96],
  );
});

test('a tokenizer that has no other way to write a special token is refused by name', async () => {
  const tokenizer = await tiny((json) => {
    json.model.vocab['<s'] = 96;
    json.model.merges.push(['<', 's'], ['<s', '>']);
  });
  const plain: TextRange[] = [[1, 4]];
  const refused = (error: unknown): void =>
    assert.is((error as LMFlowError).code, 'LMFLOW_TOKENIZER_SPECIAL_TEXT');
  try {
    tokenizer.encode('a<s>', { plain });
    assert.unreachable();
  } catch (error) {
    refused(error);
  }
  await tokenizer
    .encodeBatch(['a<s>'], { plain: [plain] })
    .then(() => assert.unreachable(), refused);
  assert.equal([...tokenizer.encode('<s>').ids], [1]);
});

test('what is saved has the tokens under their own names', async () => {
  const tokenizer = await tiny();
  tokenizer.encode('a<s>', { plain: [[1, 4]] });
  const saved = new TextDecoder().decode((await tokenizer.files()).get('tokenizer.json'));
  assert.equal(JSON.parse(saved), JSON.parse(JSON.stringify(tinyTokenizer())));
});

test.run();
