// Text from tokens: characters over several tokens, stop strings, what reaches whom, aborts.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TextPiece, Tokenizer } from '@lmflow/sdk';
import { AnswerPieces } from '../src/text/answer-pieces.ts';
import { Detokenizer } from '../src/text/detokenizer.ts';
import { StopStrings } from '../src/text/stop-strings.ts';
import type { DecodingConfig } from '../src/decoding-config.ts';
import { hasStories, STORIES, withModel } from './support.ts';

/** Tokens are bytes; like byte-level BPE, invalid bytes become U+FFFD. */
const bytes = {
  decode: (ids: ArrayLike<number>) => Buffer.from(Array.from(ids)).toString('utf8'),
} as unknown as Tokenizer;
/**
 * Like Hugging Face's ByteFallback: a run of bytes that is not valid as a whole becomes one U+FFFD
 * a byte. Ids from 256 on are words with a space, dropped at the start.
 */
const fallback = {
  decode: (ids: ArrayLike<number>) => {
    let [text, run] = ['', [] as number[]];
    const flush = (): void => {
      const decoded = Buffer.from(run).toString('utf8');
      text += decoded.includes('\uFFFD') ? '\uFFFD'.repeat(run.length) : decoded;
      run = [];
    };
    for (const id of Array.from(ids)) {
      if (id < 256) {
        run.push(id);
        continue;
      }
      flush();
      text += ` w${id}`;
    }
    flush();
    return text.replace(/^ /, '');
  },
} as unknown as Tokenizer;

const told = 'a😀é漢字 👩‍👩‍👧! 0123456789 日本語のテキスト';

for (const [name, tokenizer] of [
  ['byte-level', bytes],
  ['byte fallback', fallback],
] as const) {
  test(`${name}: never half a character, nothing lost`, () => {
    const detokenizer = new Detokenizer(tokenizer, [], true);
    const pieces = [...Buffer.from(told)].map((byte) => detokenizer.push(byte));
    for (const piece of pieces) assert.not.ok(piece.includes('\uFFFD'), piece);
    assert.is(pieces.join('') + detokenizer.end(), told);
    assert.equal(
      pieces.filter((piece) => piece !== ''),
      [...told],
    );
  });
}

test('the space before a first word is kept after a prompt, and dropped without one', () => {
  assert.is(new Detokenizer(fallback, [300], true).push(301), ' w301');
  assert.is(new Detokenizer(fallback, [], true).push(301), 'w301');
});

test('a prompt that ends in half a character is completed', () => {
  const [first, ...rest] = [...Buffer.from('é')] as [number, number];
  const detokenizer = new Detokenizer(bytes, [97, first], true);
  assert.is(rest.map((byte) => detokenizer.push(byte)).join(''), 'é');
});

test('bytes that are no character come out as U+FFFD, later text unharmed', () => {
  const detokenizer = new Detokenizer(bytes, [], true);
  const text =
    [0xf0, 0x9f, 97, 98, 0xff, 0xff, 0xff, 0xff, 0xff, 99, 0xe2]
      .map((byte) => detokenizer.push(byte))
      .join('') + detokenizer.end();
  assert.match(text, /^\uFFFD+ab\uFFFD+c\uFFFD$/);
});

test('stop strings: nothing of one is told, over any cut', () => {
  const text = 'one two STOPPED three ST STO END';
  for (let size = 1; size < text.length; size++) {
    const stop = new StopStrings(['STOPPED!', 'STO END', 'hree']);
    let [all, stopped] = ['', false];
    for (let at = 0; at < text.length && !stopped; at += size) {
      const piece = stop.push(text.slice(at, at + size));
      all += piece.text;
      stopped = piece.stopped;
    }
    assert.is(all, 'one two STOPPED t', `pieces of ${size}`);
    assert.ok(stopped);
  }
  const held = new StopStrings(['abc']);
  assert.equal(
    [held.push('xab').text, held.push('d').text, held.push('ab').text, held.end()],
    ['x', 'abd', '', 'ab'],
  );
});

test('an answer leaves out the tokens of a stop string, and keeps every token once', () => {
  const config = { stop: ['ef'], skipSpecialTokens: true } as unknown as DecodingConfig;
  const answer = new AnswerPieces(bytes, [], config, 0);
  const pieces: TextPiece[] = [];
  for (const byte of Buffer.from('aéeéefz')) {
    if (!answer.stopped) pieces.push(...[answer.push({ id: byte, logprob: 0 }) ?? []].flat());
  }
  pieces.push(answer.end('stop'));
  assert.is(pieces.map(({ text }) => text).join(''), 'aéeé');
  assert.equal(
    pieces.flatMap(({ tokens }) => tokens.map(({ id }) => id)),
    [...Buffer.from('aéeé')],
  );
  assert.is(pieces.at(-1)!.finishReason, 'stop');
});

if (hasStories()) {
  test('a real model: stop strings, EOS, limits', () =>
    withModel(STORIES, {}, async ({ generator, model }) => {
      const ask = async (options: object): Promise<[string, string]> => {
        const [result] = await generator.inference({
          model,
          prompt: 'Once upon a time',
          options: { maxNewTokens: 60, ...options },
        });
        return [result!.text, result!.finishReason];
      };
      assert.equal(await ask({ stop: ['play outside'] }), [
        ', there was a little girl named Lily. She loved to ',
        'stop',
      ]);
      assert.equal(await ask({ maxNewTokens: 3 }), [
        (await ask({}))[0].slice(0, (await ask({ maxNewTokens: 3 }))[0].length),
        'length',
      ]);
      const [whole] = await generator.inference({
        model,
        prompt: 'Once upon a time',
        options: { maxNewTokens: 20 },
      });
      const [short] = await generator.inference({
        model,
        prompt: 'Once upon a time',
        options: { maxNewTokens: 20, eosTokenId: [whole!.ids[9]!] },
      });
      assert.is(short!.finishReason, 'stop');
      assert.equal(
        [...short!.ids],
        [...whole!.ids.slice(0, whole!.ids.indexOf(whole!.ids[9]!) + 1)],
      );
    }));

  test('an abort ends the stream at the next token, frees the place, and others go on', () =>
    withModel(STORIES, { generate: { maxBatchSize: 1 } }, async ({ generator, model }) => {
      const controller = new AbortController();
      const pieces: TextPiece[] = [];
      const waiting = generator.inference({
        model,
        prompt: 'One day',
        options: { maxNewTokens: 5 },
      });
      for await (const piece of generator.streamInference({
        model,
        prompt: 'Once upon a time',
        options: { maxNewTokens: 400 },
        signal: controller.signal,
      })) {
        pieces.push(piece);
        if (pieces.length === 5) controller.abort();
      }
      assert.is(pieces.at(-1)!.finishReason, 'abort');
      assert.ok(pieces.length <= 8);
      assert.is((await waiting)[0]!.ids.length, 5);
      const [before] = await generator.inference({
        model,
        prompt: 'x',
        signal: AbortSignal.abort(),
      });
      assert.equal([before!.text, before!.finishReason], ['', 'abort']);
    }));

  test('leaving the loop early frees the place', () =>
    withModel(STORIES, { generate: { maxBatchSize: 1 } }, async ({ generator, model }) => {
      for await (const piece of generator.streamInference({ model, prompt: 'Once upon a time' })) {
        if (piece.text !== '') break;
      }
      assert.is(
        (await generator.inference({ model, prompt: 'One day', options: { maxNewTokens: 5 } }))[0]!
          .ids.length,
        5,
      );
    }));

  test('a prompt longer than the context is refused, or cut and told', () =>
    withModel(
      STORIES,
      { generate: { contextLength: 40 } },
      async ({ generator, model, warnings }) => {
        assert.is(generator.defaults(model).contextLength, 40);
        const prompt = 'Lily went to the park. '.repeat(20);
        try {
          await generator.inference({ model, prompt });
          assert.unreachable();
        } catch (error) {
          assert.is((error as { code?: string }).code, 'LMFLOW_GENERATE_PROMPT_TOO_LONG');
        }
        const [result] = await generator.inference({
          model,
          prompt,
          options: { truncation: 'left', maxNewTokens: 8 },
        });
        assert.is(result!.promptTokens, 32);
        assert.match(warnings().join(), /only its last 32 tokens/);
        const [full] = await generator.inference({
          model,
          prompt: 'Lily',
          options: { eosTokenId: [] },
        });
        assert.is(full!.promptTokens + full!.ids.length, 40);
      },
    ));
}

test.run();
