// A text that takes the tokenizer long: others are answered meanwhile.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeTinyModel } from '@lmflow/sdk/testing';
import { withModel } from './support.ts';

test('a request whose text takes the tokenizer long holds no other one', async () => {
  await withModel(await writeTinyModel(), {}, async ({ generator, model }) => {
    const { tokenizer } = model;
    const encodeBatch = tokenizer.encodeBatch.bind(tokenizer);
    let tokenize = (): void => undefined;
    const waits = new Promise<void>((resolve) => (tokenize = resolve));
    tokenizer.encodeBatch = async (texts, options) => {
      if (texts[0]!.startsWith('t9')) await waits;
      return encodeBatch(texts, options);
    };
    const answer = (prompt: string): Promise<string> =>
      generator
        .inference({ model, prompt, options: { maxNewTokens: 4, doSample: false } })
        .then(([result]) => result!.text);
    let isSlowDone = false;
    const slow = answer('t9 t4').finally(() => (isSlowDone = true));
    const quick = await answer('t3 t4');
    assert.is(isSlowDone, false);
    tokenize();
    const text = await slow;
    assert.is(await answer('t3 t4'), quick);
    assert.is(await answer('t9 t4'), text);
  });
});

test.run();
