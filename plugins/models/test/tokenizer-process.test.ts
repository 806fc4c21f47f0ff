// A tokenizer.json that ends the native library's process, or keeps it busy without end: the text
// gets an error that names its length, the next one is tokenized.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadTokenizer } from '../src/tokenizer/tokenizer.ts';
import { ProcessEnded, TokenizerProcess } from '../src/tokenizer/tokenizer-process.ts';
import { TokenizerProcesses } from '../src/tokenizer/tokenizer-processes.ts';
import { removeFolders, temporaryFolder, tinyTokenizer } from './folders.ts';
import { rejects } from './rejects.ts';

const test = suite('the process of a tokenizer');
test.after(removeFolders);

const CATASTROPHE = { Regex: '(a+)+$' };
/** Takes the library more steps than it allows. */
const POISON = `${'a'.repeat(32)}! of ours`;
const CRASHED = 'LMFLOW_TOKENIZER_CRASHED';

async function folderOf(changes: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = await mkdtemp(join(await temporaryFolder(), 'tokenizer-'));
  await writeFile(
    join(folder, 'tokenizer.json'),
    JSON.stringify({ ...tinyTokenizer(), ...changes }),
  );
  return folder;
}

for (const [what, changes] of Object.entries({
  'a normalizer': { normalizer: { type: 'Replace', pattern: CATASTROPHE, content: 'x' } },
  'a pre-tokenizer': {
    pre_tokenizer: { type: 'Split', pattern: CATASTROPHE, behavior: 'Isolated', invert: false },
  },
})) {
  test(`${what} with a catastrophic expression: an error for the text alone`, async () => {
    const tokenizer = await loadTokenizer(await folderOf(changes));
    const before = tokenizer.encode('a good text');
    const error = await rejects(
      (async () => tokenizer.encode(POISON))(),
      CRASHED,
      /tokenizing a text of 41 characters \("aaaa.*retry-limit-in-match/,
    );
    assert.match(String(error.hint), /regular expressions/);
    assert.equal(tokenizer.encode('a good text'), before);
    await rejects(
      tokenizer.encodeBatch(['a good text', POISON, 'another']),
      CRASHED,
      /a text of 41 characters/,
    );
    assert.equal(await tokenizer.encodeBatch(['a good text']), [before]);
  });
}

test('a decoder with a catastrophic expression: an error for the ids alone', async () => {
  const tokenizer = await loadTokenizer(
    await folderOf({ decoder: { type: 'Replace', pattern: CATASTROPHE, content: 'x' } }),
  );
  const ids = (text: string): Int32Array => tokenizer.encode(text).ids;
  const before = tokenizer.decode(ids('bcd'));
  assert.is(before, 'bcd');
  // A decoder sees one token at a time.
  const long = await loadTokenizer(
    await folderOf({
      added_tokens: [
        ...(tinyTokenizer() as { added_tokens: object[] }).added_tokens,
        { ...ADDED, id: 1000, content: POISON },
      ],
      decoder: { type: 'Replace', pattern: CATASTROPHE, content: 'x' },
    }),
  );
  const poison = long.encode(POISON).ids;
  await rejects(
    (async () => long.decode(poison))(),
    CRASHED,
    /decoding a text of 41 characters .*retry-limit-in-match/,
  );
  assert.is(long.decode(ids('bcd')), before);
});

const ADDED = {
  special: false,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
};

const json = (changes: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ ...tinyTokenizer(), ...changes });

async function ends(promise: Promise<unknown>): Promise<ProcessEnded> {
  const error: unknown = await promise.then(
    () => assert.unreachable('nothing was thrown'),
    (reason: unknown) => reason,
  );
  assert.instance(error, ProcessEnded);
  return error as ProcessEnded;
}

test('a text that takes longer than the limit is given up, and the next one is not', async () => {
  const normalizer = { type: 'Replace', pattern: { Regex: '(?:a|a)*b' }, content: 'x' };
  const process = new TokenizerProcess(json({ normalizer }), [], { milliseconds: 1500 });
  await process.load();
  const slow = `${'a'.repeat(17)}c`.repeat(100_000);
  const [first, second, third] = await Promise.allSettled([
    process.encode(['abc'], false),
    process.encode([slow], false),
    process.encode(['abc'], false),
  ]);
  assert.is(first.status, 'fulfilled');
  assert.is(second.status, 'rejected');
  assert.is(((second as PromiseRejectedResult).reason as ProcessEnded).kind, 'slow');
  assert.equal(third, first);
  assert.is((await ends((async () => process.encodeNow([slow], false))())).kind, 'slow');
  assert.equal(
    process.encodeNow(['abc'], false)[0]!,
    (first as PromiseFulfilledResult<unknown[]>).value[0],
  );
  process.stop();
});

test('a text that takes more memory than the limit is given up', async () => {
  const normalizer = {
    type: 'Sequence',
    normalizers: Array.from({ length: 24 }, () => ({
      type: 'Replace',
      pattern: { String: 'a' },
      content: 'aa',
    })),
  };
  const process = new TokenizerProcess(json({ normalizer }), [], { bytes: 2 ** 26 });
  await process.load();
  assert.is((await ends(process.encode(['aa'], false))).kind, 'memory');
  process.stop();
});

test('a tokenizer.json that cannot be read is refused as often as it is loaded', async () => {
  const process = new TokenizerProcess(json({ model: { type: 'none' } }), []);
  for (let again = 0; again < 2; again++) {
    const error: unknown = await process.load().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof Error && !(error instanceof ProcessEnded));
  }
  process.stop();
});

test('more tokenizers than processes: those unused longest are started again', async () => {
  const pool = new TokenizerProcesses();
  const textOf = (index: number): string =>
    json({ normalizer: { type: 'Prepend', prepend: String(index) } });
  const processes = Array.from({ length: 6 }, (_, index) => pool.of(textOf(index), []));
  assert.is(pool.of(textOf(0), []), processes[0], 'one for all of equal content');
  const texts = await Promise.all(
    processes.map(async (process) => {
      await process.load();
      return (await process.encode(['a'], false))[0]!.ids;
    }),
  );
  assert.is(new Set(texts.map(String)).size, 6);
  for (const [index, process] of processes.entries()) {
    assert.equal(process.encodeNow(['a'], false)[0]!.ids, texts[index]);
  }
  pool.dispose();
  assert.equal(processes[0]!.encodeNow(['a'], false)[0]!.ids, texts[0], 'and starts again');
  pool.dispose();
});

test.run();
