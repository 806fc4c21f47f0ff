// Many clients at once: nothing lost, nothing mixed up, /health quick while the main thread
// computes. Also metrics, page, shutdown, command.
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import chatTemplates from '@lmflow/plugin-chat-templates';
import { GENERATOR, MODELS, definePlugin } from '@lmflow/sdk';
import serve from '@lmflow/plugin-serve';
import { FakeGenerator, fakeModel, withServer } from './fake.ts';

const SECONDS = 5;

// a thread of its own: the test's thread is the one that is blocked
const measure = `
  const { parentPort, workerData: { url, seconds } } = require('node:worker_threads');
  (async () => {
    const times = [];
    for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
      const start = performance.now();
      const response = await fetch(url + '/health');
      await response.text();
      times.push(performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    parentPort.postMessage(times);
  })();`;

async function healthTimes(url: string, seconds: number): Promise<number[]> {
  const worker = new Worker(measure, { eval: true, workerData: { url, seconds } });
  const times = await new Promise<number[]>((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  await worker.terminate();
  return times.sort((a, b) => a - b);
}

async function streamed(url: string, body: object): Promise<string> {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true }),
  });
  assert.is(response.status, 200);
  const lines = (await response.text()).split('\n\n').filter((line) => line !== '');
  assert.is(lines.pop(), 'data: [DONE]');
  return lines
    .map((line) => (JSON.parse(line.slice(6)) as { choices: { text: string }[] }).choices[0]!.text)
    .join('');
}

test(`64 clients for ${SECONDS} s`, () =>
  withServer({ maxConcurrent: 16 }, async ({ url, generator }) => {
    generator.step = 0.2;
    const end = performance.now() + SECONDS * 1000;
    let requests = 0;
    const client = async (name: number): Promise<void> => {
      for (let round = 0; performance.now() < end; round++) {
        const prompt = `client ${name} round ${round}`;
        const expected = [...prompt].reverse().join('');
        if (round % 2 === 0) {
          assert.is(await streamed(url, { model: 'fake', prompt, max_tokens: 100 }), expected);
        } else {
          const response = await fetch(`${url}/v1/completions`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ model: 'fake', prompt, max_tokens: 100 }),
          });
          const {
            choices: [choice],
          } = (await response.json()) as { choices: { text: string }[] };
          assert.is(choice!.text, expected);
        }
        requests++;
      }
    };
    await Promise.all(Array.from({ length: 64 }, (_, index) => client(index)));
    assert.ok(requests >= 64);
    assert.is(generator.seen.length, requests);
    assert.is(generator.running, 0);
    assert.ok(
      generator.mostRunning <= 16 && generator.mostRunning > 8,
      `${generator.mostRunning} at once`,
    );
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(
      metrics,
      new RegExp(
        `lmflow_http_requests_total\\{route="/v1/completions",status="200"\\} ${requests}\n`,
      ),
    );
    assert.match(metrics, /lmflow_requests_waiting 0\n/);
    console.log(`${requests} requests in ${SECONDS} s`);
  }));

test('/health answers while the main thread is blocked', () =>
  withServer({}, async ({ url, generator }) => {
    generator.step = 250;
    const controller = new AbortController();
    const times = healthTimes(url, 1.5);
    await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'fake', prompt: 'x'.repeat(8) }),
      signal: controller.signal,
    });
    const sorted = await times;
    const [median, worst] = [sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
    console.log(
      `/health while steps of 250 ms block the main thread: median ${median.toFixed(1)} ms, worst ${worst.toFixed(1)} ms of ${sorted.length}`,
    );
    assert.ok(sorted.length > 10);
    assert.ok(median < 100, `median ${median} ms`);
  }));

test('the chat page allows nothing from elsewhere', () =>
  withServer({}, async ({ url }) => {
    const page = await fetch(url);
    const policy = page.headers.get('content-security-policy')!;
    assert.match(
      policy,
      /^default-src 'none';script-src 'sha256-[^']+';style-src 'sha256-[^']+';connect-src 'self'/,
    );
    const html = await page.text();
    assert.not.match(html, /(?:src|href)="(?:https?:)?\/\//);
    assert.not.match(html, /\sstyle="|\son\w+="/);
    for (const path of ['/', '/health', '/v1/models', '/nothing']) {
      const { headers } = await fetch(url + path);
      assert.equal(
        ['x-content-type-options', 'x-frame-options', 'referrer-policy'].map((name) =>
          headers.get(name),
        ),
        ['nosniff', 'DENY', 'no-referrer'],
        path,
      );
      assert.is(headers.get('strict-transport-security'), null);
    }
  }));

test('shutdown: running requests finish, waiting ones are sent away', () =>
  withServer({ maxConcurrent: 1, shutdownTimeout: 5 }, async ({ url, server, generator }) => {
    generator.step = 20;
    const first = streamed(url, { model: 'fake', prompt: 'abcdefghij' });
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
    const second = fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'fake', prompt: 'x' }),
    });
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    const stopped = server.stop();
    assert.is((await second).status, 503);
    assert.is(await first, 'jihgfedcba');
    await stopped;
    assert.is(await fetch(url).catch(() => 'refused'), 'refused');
  }));

test('shutdown: what does not finish in time is ended', () =>
  withServer({ shutdownTimeout: 0.3 }, async ({ url, server, generator }) => {
    generator.step = 20;
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'fake',
        prompt: 'x'.repeat(200),
        max_tokens: 56,
        stream: true,
      }),
    });
    const start = performance.now();
    await server.stop();
    assert.ok(performance.now() - start < 1100);
    assert.match(await response.text(), /"code":"shutting_down"/);
    assert.is(generator.aborted, 1);
  }));

const fakes = definePlugin({
  name: 'fakes',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply(context) {
    context.provide(GENERATOR, () => new FakeGenerator());
    context.provide(MODELS, () => ({ load: async () => fakeModel() }));
  },
});

test('lmflow serve: serves until it is interrupted, says where', async () => {
  const { kernel, log } = await createTestKernel({
    plugins: [chatTemplates, fakes, serve],
    flags: ['--serve-port', '0', '--model', 'out/tiny/'],
  });
  const controller = new AbortController();
  const run = kernel.run('serve', { signal: controller.signal });
  for (let tries = 0; tries < 500 && log.texts('event').length === 0; tries++) {
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
  const { url, model } = log.said.find(({ data }) => data?.['type'] === 'serving')!.data as {
    url: string;
    model: string;
  };
  assert.is(model, 'tiny');
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.is(await streamed(url, { model: 'tiny', prompt: 'abc' }), 'cba');
  const second = await createTestKernel({
    plugins: [chatTemplates, fakes, serve],
    flags: ['--serve-port', new URL(url).port, '--model', 'x'],
  });
  const error = await second.kernel.run('serve').then(
    () => undefined,
    (failure: unknown) => failure as { code: string },
  );
  assert.is(error?.code, 'LMFLOW_SERVE_LISTEN');
  await second.kernel.close();
  controller.abort();
  assert.is((await run).exitCode, 0);
  await kernel.close();
});

test.run();
