// Tokenizers: offsets in UTF-16 units, the two ways to encode, decoding as the library does it,
// special tokens, templates, saved files.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LMFlowError, Tokenizer } from '@lmflow/sdk';
import { inUnits } from '../src/tokenizer/offsets.ts';
import { loadTokenizer } from '../src/tokenizer/tokenizer.ts';
import { removeFolders, shared, temporaryFolder, tinyTokenizer } from './folders.ts';

const test = suite('tokenizer');
test.after(removeFolders);

const TEXT = 'a😀b é\u{1F468}\u200D\u{1F469} 中 "<s>"\n\tend';

/** A byte-level tokenizer that knows all 256 bytes, two merges, BOS and EOS. */
function byteLevel(): Record<string, unknown> {
  const printable = [
    ...Array.from({ length: 94 }, (_, i) => 33 + i),
    ...Array.from({ length: 12 }, (_, i) => 161 + i),
    ...Array.from({ length: 82 }, (_, i) => 174 + i),
  ];
  const others = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => !printable.includes(byte),
  );
  const bytes = [
    ...printable.map((byte) => String.fromCharCode(byte)),
    ...others.map((_, index) => String.fromCharCode(256 + index)),
  ];
  const tiny = tinyTokenizer() as { model: Record<string, unknown> };
  const vocab = Object.fromEntries(
    ['<unk>', '<s>', '</s>', ...bytes, 'en', 'end'].map((token, id) => [token, id]),
  );
  return {
    ...tiny,
    model: {
      ...tiny.model,
      vocab,
      merges: [
        ['e', 'n'],
        ['en', 'd'],
      ],
    },
  };
}

async function folderWith(files: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries({
    'tokenizer.json': byteLevel(),
    'tokenizer_config.json': {
      bos_token: '<s>',
      eos_token: { content: '</s>' },
      unk_token: '<unk>',
    },
    ...files,
  })) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(
      join(folder, name),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
  }
  return folder;
}

/** Every token's text by its offsets, and every UTF-16 unit covered in order. */
function checkOffsets(
  tokenizer: Tokenizer,
  text: string,
  { ids, offsets }: { ids: Int32Array; offsets: Int32Array },
): void {
  assert.is(offsets.length, ids.length * 2);
  let reached = 0;
  for (let token = 0; token < ids.length; token++) {
    const [start, end] = [offsets[2 * token]!, offsets[2 * token + 1]!];
    assert.ok(
      start <= reached && end >= start && end <= text.length,
      `token ${token}: ${start}..${end} after ${reached}`,
    );
    // No token begins or ends inside a surrogate pair.
    assert.not.match(text.slice(0, end), /[\uD800-\uDBFF]$/);
    const own = text.slice(start, end);
    // A piece of a character, or a space put before a word (it stands where the word begins), is no
    // text of its own.
    const decoded = tokenizer.decode([ids[token]!]).trim();
    if (decoded !== '' && !decoded.includes('\uFFFD')) assert.is(decoded, own.trim());
    reached = Math.max(reached, end);
  }
  assert.is(reached, text.length);
}

test('positions in code points become positions in UTF-16 units', () => {
  assert.equal([...inUnits('a😀b', Int32Array.of(0, 1, 2, 3))], [0, 1, 3, 4]);
  assert.equal([...inUnits('aéb', Int32Array.of(0, 1, 2, 3))], [0, 1, 2, 3]);
  assert.equal([...inUnits('\uD83D😀', Int32Array.of(0, 1, 2))], [0, 1, 3]);
});

test('offsets of a byte-level tokenizer, with emoji, joiners and special tokens in the text', async () => {
  const tokenizer = await loadTokenizer(await folderWith({}));
  const [encoding] = await tokenizer.encodeBatch([TEXT]);
  checkOffsets(tokenizer, TEXT, encoding!);
  const bos = encoding!.ids.indexOf(1);
  assert.is(TEXT.slice(encoding!.offsets[2 * bos], encoding!.offsets[2 * bos + 1]), '<s>');
  assert.is(
    encoding!.ids.filter(
      (_, token) =>
        TEXT.slice(encoding!.offsets[2 * token], encoding!.offsets[2 * token + 1]) === '😀',
    ).length,
    4,
  );
  assert.is(tokenizer.decode(encoding!.ids), TEXT);
  assert.is(tokenizer.decode(encoding!.ids, { skipSpecialTokens: true }), TEXT.replace('<s>', ''));
});

test('encoding at once gives what encoding with a promise gives', async () => {
  const tokenizer = await loadTokenizer(await folderWith({}));
  const texts = [TEXT, '', 'end', '\uD800 alone', 'x'.repeat(5000)];
  const batch = await tokenizer.encodeBatch(texts);
  assert.equal(
    texts.map((text) => tokenizer.encode(text)),
    batch,
  );
  assert.equal(
    tokenizer.encode(TEXT, { addSpecialTokens: true }),
    (await tokenizer.encodeBatch([TEXT], { addSpecialTokens: true }))[0],
  );
  const started = performance.now();
  for (let index = 0; index < 100; index++) tokenizer.encode('end of the line');
  assert.ok(performance.now() - started < 2000);
});

test("decoding at once gives what the library's own decoding gives", async () => {
  const folder = await folderWith({});
  const tokenizer = await loadTokenizer(folder);
  const native = NativeTokenizer.fromFile(join(folder, 'tokenizer.json'));
  for (let length = 1; length < 40; length++) {
    const ids = Array.from({ length }, (_, index) => (index * index * 31 + length * 17) % 261);
    assert.is(tokenizer.decode(ids), await native.decode(ids, false));
    assert.is(tokenizer.decode(ids, { skipSpecialTokens: true }), await native.decode(ids, true));
  }
});

test("special tokens: from the configuration, from special_tokens_map, or by config.json's ids", async () => {
  const first = await loadTokenizer(await folderWith({}));
  assert.equal(
    [first.bosToken, first.bosId, first.eosToken, first.eosId, first.padToken],
    ['<s>', 1, '</s>', 2, undefined],
  );
  const second = await loadTokenizer(
    await folderWith({
      'tokenizer_config.json': {},
      'special_tokens_map.json': { eos_token: { content: '</s>' }, pad_token: '<unk>' },
    }),
  );
  assert.equal([second.bosToken, second.eosId, second.padId], [undefined, 2, 0]);
  const third = await loadTokenizer(await folderWith({ 'tokenizer_config.json': {} }), {
    bosId: 1,
    eosId: 2,
  });
  assert.equal([third.bosToken, third.eosToken], ['<s>', '</s>']);
  assert.is(first.tokenToId('</s>'), 2);
  assert.is(first.tokenToId('nothing'), undefined);
});

test('what is put around a text is found out by trying, whatever the configuration says', async () => {
  const template = (single: unknown[]): unknown => ({
    type: 'TemplateProcessing',
    single,
    pair: single,
    special_tokens: {
      '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] },
      '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] },
    },
  });
  const text = { Sequence: { id: 'A', type_id: 0 } };
  const token = (id: string): unknown => ({ SpecialToken: { id, type_id: 0 } });
  for (const [single, bos, eos] of [
    [[text], false, false],
    [[token('<s>'), text], true, false],
    [[token('<s>'), text, token('</s>')], true, true],
    [[text, token('</s>')], false, true],
  ] as const) {
    const tokenizer = await loadTokenizer(
      await folderWith({
        'tokenizer.json': { ...byteLevel(), post_processor: template([...single]) },
        'tokenizer_config.json': { bos_token: '<s>', eos_token: '</s>', add_bos_token: !bos },
      }),
    );
    assert.equal([tokenizer.addsBos, tokenizer.addsEos], [bos, eos]);
    assert.is(tokenizer.encode('end', { addSpecialTokens: true }).ids[0], bos ? 1 : 260);
    assert.is(tokenizer.encode('end').ids.length, 1);
  }
});

test('truncation and padding of tokenizer.json do not touch training data', async () => {
  const json = {
    ...byteLevel(),
    truncation: { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 },
    padding: {
      strategy: { Fixed: 5 },
      direction: 'Right',
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: '<unk>',
    },
  };
  const tokenizer = await loadTokenizer(await folderWith({ 'tokenizer.json': json }));
  assert.is((await tokenizer.encodeBatch(['xyxyxyxy']))[0]!.ids.length, 8);
  assert.is(tokenizer.encode('x').ids.length, 1);
  assert.is(tokenizer.encode('xyxyxyxy').ids.length, 8);
});

test('tokens that only tokenizer_config.json knows are added, and saved', async () => {
  const added = {
    261: { content: '<|im_start|>', special: true, lstrip: false },
    262: { content: '中文', special: false },
  };
  const tokenizer = await loadTokenizer(
    await folderWith({
      'tokenizer_config.json': { eos_token: '</s>', added_tokens_decoder: added },
    }),
  );
  assert.is(tokenizer.vocabularySize, 263);
  assert.equal([...tokenizer.encode('<|im_start|>中文').ids], [261, 262]);
  assert.is(tokenizer.decode([261, 262], { skipSpecialTokens: true }), '中文');
  const files = await tokenizer.files();
  const again = await loadTokenizer(
    await folderWith(
      Object.fromEntries(
        [...files].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]),
      ),
    ),
  );
  assert.equal([...again.encode('<|im_start|>中文').ids], [261, 262]);
  assert.is(again.fingerprint, tokenizer.fingerprint);
});

test('the fingerprint follows what decides the ids', async () => {
  const of = async (files: Parameters<typeof folderWith>[0], fallback = {}): Promise<string> =>
    (await loadTokenizer(await folderWith(files), fallback)).fingerprint;
  const one = await of({ 'tokenizer_config.json': { eos_token: '</s>' } });
  assert.is(await of({ 'tokenizer_config.json': { eos_token: '</s>', chat_template: 'x' } }), one);
  const others = [
    await of({ 'tokenizer.json': tinyTokenizer(), 'tokenizer_config.json': { eos_token: '</s>' } }),
    await of({ 'tokenizer_config.json': { eos_token: '<s>' } }), // what is put behind every answer
    await of({ 'tokenizer_config.json': { bos_token: '<s>', eos_token: '</s>' } }),
    await of({
      'tokenizer_config.json': {
        eos_token: '</s>',
        chat_template: [
          { name: 'default', template: 'x' },
          { name: 'tool_use', template: 'y' },
        ],
      },
    }),
  ];
  assert.is(new Set([one, ...others]).size, 5);
  assert.is(
    await of({ 'tokenizer_config.json': {} }, { eosId: 1 }),
    await of({ 'tokenizer_config.json': {} }, { eosId: 1 }),
  );
  assert.is.not(
    await of({ 'tokenizer_config.json': {} }, { eosId: 1 }),
    await of({ 'tokenizer_config.json': {} }, { eosId: 0 }),
  );
});

test('the chat template: a file wins over the configuration; a list of named ones', async () => {
  const chat = [{ role: 'user', content: 'x' }];
  const single = await loadTokenizer(
    await folderWith({
      'tokenizer_config.json': {
        eos_token: '</s>',
        chat_template: '{{ messages[0].content }}{{ eos_token }}{{ bos_token }}',
      },
    }),
  );
  assert.is(single.render(chat), 'x</s>');
  assert.is(single.chatTemplateOrigin, 'tokenizer');
  const file = await loadTokenizer(
    await folderWith({
      'tokenizer_config.json': { chat_template: 'config' },
      'chat_template.jinja': 'file',
    }),
  );
  assert.is(file.render(chat), 'file');
  const list = [
    { name: 'default', template: 'plain' },
    { name: 'tool_use', template: 'with {{ tools|length }} tools' },
  ];
  const named = await loadTokenizer(
    await folderWith({ 'tokenizer_config.json': { chat_template: list } }),
  );
  assert.is(named.render(chat), 'plain');
  assert.is(named.render(chat, { tools: [{}] }), 'with 1 tools');
  assert.equal([...(await named.files()).keys()].sort(), [
    'additional_chat_templates/tool_use.jinja',
    'chat_template.jinja',
    'tokenizer.json',
    'tokenizer_config.json',
  ]);
  const folder = await folderWith({
    'chat_template.jinja': 'plain',
    'additional_chat_templates/tool_use.jinja': 'tools',
  });
  assert.is((await loadTokenizer(folder)).render(chat, { tools: [{}] }), 'tools');
});

test('no template, and several without a default', async () => {
  const none = await loadTokenizer(await folderWith({}));
  assert.is(none.chatTemplate, undefined);
  assert.throws(
    () => none.render([]),
    (error: LMFlowError) =>
      error.code === 'LMFLOW_TEMPLATE_MISSING' && /no chat template/.test(error.message),
  );
  const two = await loadTokenizer(
    await folderWith({
      'tokenizer_config.json': {
        chat_template: [
          { name: 'rag', template: 'a' },
          { name: 'tool_use', template: 'b' },
        ],
      },
    }),
  );
  assert.throws(
    () => two.render([]),
    (error: LMFlowError) =>
      error.code === 'LMFLOW_TEMPLATE_MISSING' && /named rag, tool_use/.test(error.message),
  );
});

test('a template set by a plugin is in force and is saved', async () => {
  const tokenizer = await loadTokenizer(
    await folderWith({
      'tokenizer_config.json': { eos_token: '</s>', extra: 1, chat_template: 'own' },
    }),
  );
  tokenizer.chatTemplate = 'set: {{ messages[0].content }}';
  tokenizer.chatTemplateOrigin = 'fallback';
  assert.is(tokenizer.render([{ role: 'user', content: 'x' }]), 'set: x');
  const files = await tokenizer.files();
  const text = (name: string): string => new TextDecoder().decode(files.get(name));
  assert.is(text('chat_template.jinja'), 'set: {{ messages[0].content }}');
  assert.equal(JSON.parse(text('tokenizer_config.json')), { eos_token: '</s>', extra: 1 });
});

test('a real sentencepiece-like tokenizer (stories260k)', async () => {
  const folder = join(shared, 'models/stories260k');
  if (!existsSync(folder)) {
    console.log('skipped: no ../shared');
    return;
  }
  const tokenizer = await loadTokenizer(folder);
  assert.equal(
    [tokenizer.vocabularySize, tokenizer.addsBos, tokenizer.addsEos],
    [512, true, false],
  );
  for (const text of ['Once upon a time', 'a😀b é 中<s>x', ' leading and trailing ', '']) {
    const [encoding] = await tokenizer.encodeBatch([text]);
    if (text !== '') checkOffsets(tokenizer, text, encoding!);
    assert.equal(tokenizer.encode(text), encoding);
  }
  assert.is(
    (await tokenizer.files()).get('tokenizer.json')!.length,
    (await readFile(join(folder, 'tokenizer.json'))).length,
  );
});

test.run();
