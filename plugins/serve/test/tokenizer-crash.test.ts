// A model folder whose tokenizer.json ends the native library: the request gets an error, the
// server and the requests after it do not notice.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeTinyModel } from '@lmflow/sdk/testing';
import { withStories } from './stories.ts';

test('one text that ends the tokenizer, among others', async () => {
  const folder = await writeTinyModel();
  const file = join(folder, 'tokenizer.json');
  const content = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  content['normalizer'] = { type: 'Replace', pattern: { Regex: '(a+)+$' }, content: 't2' };
  writeFileSync(file, JSON.stringify(content));
  await withStories({ model: folder }, async (url) => {
    const complete = async (prompt: string): Promise<[number, Record<string, unknown>]> => {
      const response = await fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: basename(folder), prompt, max_tokens: 4, temperature: 0 }),
      });
      return [response.status, (await response.json()) as Record<string, unknown>];
    };
    const poison = `${'a'.repeat(32)}! of ours`;
    const [before, refused, after] = await Promise.all(['t3 t4', poison, 't3 t4'].map(complete));
    assert.is(before![0], 200);
    assert.is(refused![0], 400);
    assert.is((refused![1]['error'] as { code: string }).code, 'LMFLOW_TOKENIZER_CRASHED');
    assert.equal(after![1]['choices'], before![1]['choices']);
    assert.is((await complete('t3 t4'))[0], 200);
  });
});

test.run();
