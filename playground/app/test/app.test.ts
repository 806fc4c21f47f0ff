// The application over HTTP with the default model: a streamed answer, questions that are none.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import { createKernel, silentLogger } from 'lmflow';
import config from '../lmflow.config.ts';
import { createApp } from '../src/app.ts';

const test = suite('the app');

test('answers a question, and says what is none', async () => {
  const kernel = await createKernel(config, { log: silentLogger() });
  const app = await createApp(kernel);
  try {
    await once(app.listen(0, '127.0.0.1'), 'listening');
    const { port } = app.address() as AddressInfo;
    const post = (body: string, path = '/ask'): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body });
    const answer = await post('{"question": "What is the capital of France?"}');
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), /\w+.*\.$/s, 'a sentence');
    for (const [body, path] of [['{"question": 1}'], ['no JSON'], ['{"question": "x"}', '/']]) {
      assert.equal((await post(body!, path)).status, 400);
    }
  } finally {
    app.closeAllConnections();
    app.close();
    await kernel.close();
  }
});

test.run();
