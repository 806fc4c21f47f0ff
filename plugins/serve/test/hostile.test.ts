// Who may come in, and what bad or slow or too many clients can do: the server must go on serving.
// Everything on 127.0.0.1, all loops bounded.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ask, code, open, type Answer } from './client.ts';
import { withServer } from './fake.ts';

const complete = (
  url: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  ask(`${url}/v1/completions`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ model: 'fake', ...body }),
  });
const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

async function serves(url: string): Promise<void> {
  assert.match((await complete(url, { prompt: 'abc' })).text, /"cba"/);
}

test('Host: addresses, localhost and allowed names', () =>
  withServer({ allowedHosts: ['models.example'] }, async ({ url }) => {
    for (const host of [
      '127.0.0.1:1',
      'localhost',
      'LOCALHOST:80',
      '[::1]:3',
      '192.168.1.7',
      'models.example',
    ]) {
      assert.is((await ask(`${url}/health`, { headers: { host } })).status, 200, host);
    }
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example:80',
      'models.example@evil.example',
      'a b',
    ]) {
      const answer = await ask(`${url}/v1/models`, { headers: { host } });
      assert.equal([answer.status, code(answer)], [403, 'host_not_allowed'], host);
    }
    const none = await open(url, 'GET /health HTTP/1.0\r\n\r\n');
    await sleep(200);
    assert.match(none.said, /^HTTP\/1.1 403/);
  }));

test('Origin: our own page and allowed ones', () =>
  withServer({ allowedOrigins: ['https://app.example'] }, async ({ url }) => {
    assert.is((await ask(`${url}/v1/models`, { headers: { origin: url } })).status, 200);
    const allowed = await ask(`${url}/v1/models`, { headers: { origin: 'https://app.example' } });
    assert.is(allowed.headers['access-control-allow-origin'], 'https://app.example');
    const preflight = await ask(`${url}/v1/completions`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    });
    assert.is(preflight.status, 204);
    for (const origin of ['https://evil.example', 'null', 'file://', `${url}.evil.example`]) {
      const answer = await complete(url, { prompt: 'x' }, { origin });
      assert.equal([answer.status, code(answer)], [403, 'origin_not_allowed'], origin);
    }
  }));

test('preflight: an allowed page needs no key for it, others are refused in the shape of OpenAI', () =>
  withServer({ allowedOrigins: ['https://app.example'], apiKey: 'secret' }, async ({ url }) => {
    const preflight = (headers: Record<string, string>): Promise<Answer> =>
      ask(`${url}/v1/completions`, { method: 'OPTIONS', headers });
    const allowed = await preflight({ origin: 'https://app.example' });
    assert.is(allowed.status, 204);
    assert.is(allowed.headers['access-control-allow-origin'], 'https://app.example');
    assert.is(allowed.headers['access-control-allow-methods'], 'GET, POST');
    assert.is(allowed.headers['access-control-allow-headers'], 'authorization, content-type, *');
    assert.is(allowed.headers['access-control-expose-headers'], 'retry-after');
    assert.is(allowed.headers['access-control-max-age'], '600');
    assert.is(allowed.headers['vary'], 'Origin');
    for (const [headers, status, reason] of [
      [{ origin: 'https://evil.example' }, 403, 'origin_not_allowed'],
      [{ origin: 'https://app.example', host: 'evil.example' }, 403, 'host_not_allowed'],
      [{ origin: url }, 401, 'invalid_api_key'],
      [{}, 401, 'invalid_api_key'],
      [{ authorization: 'Bearer secret' }, 404, 'unknown_url'],
    ] as [Record<string, string>, number, string][]) {
      const answer = await preflight(headers);
      assert.equal([answer.status, code(answer)], [status, reason]);
      assert.is(answer.headers['access-control-allow-origin'], undefined);
    }
    const wrong = await ask(`${url}/v1/models`, { headers: { origin: 'https://app.example' } });
    assert.is(wrong.status, 401);
    assert.is(wrong.headers['access-control-allow-origin'], 'https://app.example');
  }));

test('API key', () =>
  withServer({ apiKey: 'correct horse' }, async ({ url }) => {
    for (const authorization of [
      undefined,
      'Bearer wrong',
      'Bearer correct hors',
      'Bearer correct horses',
      'Basic correct horse',
      'correct horse',
    ]) {
      for (const path of ['/v1/models', '/metrics', '/nothing']) {
        assert.is(
          (await ask(url + path, { headers: authorization === undefined ? {} : { authorization } }))
            .status,
          401,
          `${authorization} ${path}`,
        );
      }
    }
    assert.is(
      (await ask(`${url}/v1/models`, { headers: { authorization: 'Bearer correct horse' } }))
        .status,
      200,
    );
    assert.is((await ask(`${url}/health`)).status, 200);
    assert.is((await ask(url)).status, 200);
  }));

test('several API keys, each with its share of the queue: one with 60 requests waiting does not keep another waiting', () =>
  withServer(
    { apiKey: 'one', apiKeys: ['other'], maxConcurrent: 2 },
    async ({ url, generator }) => {
      assert.is(
        (await ask(`${url}/v1/models`, { headers: { authorization: 'Bearer third' } })).status,
        401,
      );
      generator.step = 5;
      const order: string[] = [];
      const start = (key: string, name: string): Promise<Answer> =>
        complete(url, { prompt: 'xxxxxxxxxx' }, { authorization: `Bearer ${key}` }).then(
          (answer) => {
            order.push(name);
            return answer;
          },
        );
      const many = Array.from({ length: 60 }, (_, index) => start('one', `one ${index}`));
      for (
        let tries = 0;
        tries < 100 &&
        (JSON.parse((await ask(`${url}/health`)).text) as { waiting: number }).waiting < 50;
        tries++
      ) {
        await sleep(10);
      }
      assert.is((await start('other', 'other')).status, 200);
      const before = order.indexOf('other');
      assert.ok(before < 20, `${before} requests of the other client came first`);
      assert.ok((await Promise.all(many)).every(({ status }) => status === 200));
    },
  ));

test('a key named after a part of every object is an unknown key, or a name in a schema', () =>
  withServer({}, async ({ url, generator }) => {
    const chat = async (more: string, message = ''): Promise<[number, string]> => {
      const { status, text } = await ask(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"model": "fake", "messages": [{"role": "user", "content": "x"${message}}]${more}}`,
      });
      return [status, text];
    };
    for (const key of ['__proto__', 'constructor', 'toString']) {
      for (const [more, message] of [
        [`, "${key}": {"prototype": {"x": 1}}`, ''],
        ['', `, "${key}": {"x": 1}`],
      ] as const) {
        const [status, text] = await chat(more, message);
        assert.is(status, 400, text);
        const { error } = JSON.parse(text) as { error: { message: string; code: string } };
        assert.match(error.message, key);
        assert.not.match(error.message, /JSON/);
      }
      const schema = `{"type": "object", "properties": {"${key}": {"type": "string"}}}`;
      const tool = `{"type": "function", "function": {"name": "f", "parameters": ${schema}}}`;
      const [status, text] = await chat(`, "tools": [${tool}]`);
      assert.is(status, 200, text);
      assert.match(JSON.stringify(generator.seen.at(-1)!.tools), key);
    }
    assert.is(({} as { x?: unknown }).x, undefined);
  }));

test('bad bodies are refused in the shape of OpenAI', () =>
  withServer({ maxBodyBytes: 100_000 }, async ({ url, generator }) => {
    const post = (body: string, type = 'application/json'): Promise<Answer> =>
      ask(`${url}/v1/completions`, { method: 'POST', headers: { 'content-type': type }, body });
    for (const [body, status] of [
      ['{"model": ', 400],
      ['', 400],
      ['[]', 400],
      ['"x"', 400],
      ['['.repeat(90_000), 400],
      ['x'.repeat(100_001), 413],
    ] as const) {
      const answer = await post(body);
      assert.is(answer.status, status, body.slice(0, 20));
      assert.type(
        (JSON.parse(answer.text) as { error: { message: unknown } }).error.message,
        'string',
      );
    }
    const plain = await post('{"model": "fake", "prompt": "x"}', 'text/plain');
    assert.equal([plain.status, code(plain)], [415, 'unsupported_media_type']);
    assert.is((await ask(`${url}/v1/engines`)).status, 404);
    assert.is((await ask(`${url}/v1/completions`)).status, 404);
    const long = await complete(url, { prompt: 'x'.repeat(90_000) });
    assert.equal([long.status, code(long)], [400, 'context_length_exceeded']);
    assert.is(generator.seen.length, 0);
    await serves(url);
  }));

test('a body of 100 MB is cut off, with and without a length', () =>
  withServer({}, async ({ url }) => {
    const head =
      'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    const declared = await open(url, `${head}content-length: 104857600\r\n\r\n{`);
    await sleep(300);
    assert.match(declared.said, /^HTTP\/1.1 413/);
    declared.destroy();
    const chunked = await open(url, `${head}transfer-encoding: chunked\r\n\r\n`);
    const chunk = `100000\r\n${'x'.repeat(1_048_576)}\r\n`;
    let sent = 0;
    for (; sent < 100 && !chunked.said.includes('413') && !chunked.destroyed; sent++) {
      chunked.write(chunk);
      await sleep(20);
    }
    assert.match(chunked.said, /^HTTP\/1.1 413/);
    assert.ok(sent < 50, `${sent} MB were taken`);
    chunked.destroy();
    await serves(url);
  }));

test('slow loris and 500 idle connections are cut off, others are served meanwhile', () =>
  withServer({ headersTimeout: 1, bodyTimeout: 1.5 }, async ({ url }) => {
    const idle = await Promise.all(Array.from({ length: 500 }, () => open(url, '')));
    const slowHead = await open(url, 'GET /health HTTP/1.1\r\nhost: localhost\r\n');
    const slowBody = await open(
      url,
      'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
    );
    const all = [slowHead, slowBody, ...idle];
    for (let tries = 0; tries < 60 && all.some(({ closed }) => !closed); tries++) {
      if (!slowHead.closed) slowHead.write('x: y\r\n');
      if (!slowBody.closed) slowBody.write(' ');
      if (tries % 10 === 0) await serves(url);
      await sleep(100);
    }
    assert.is(all.filter(({ closed }) => !closed).length, 0);
    assert.match(slowHead.said, /^HTTP\/1.1 408/);
    assert.match(slowBody.said, /^HTTP\/1.1 408/);
    await serves(url);
  }));

test('over the limit of connections, those that ask for nothing go first, those with a request stay', () =>
  withServer({ maxConnections: 5 }, async ({ url, generator }) => {
    const held = await Promise.all(Array.from({ length: 5 }, () => open(url, '')));
    const half = await open(
      url,
      'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
    );
    await serves(url);
    await sleep(100);
    assert.ok(held[0]!.closed && held[1]!.closed && !held[4]!.closed, 'the oldest make room');
    generator.step = 10;
    const body = JSON.stringify({ model: 'fake', prompt: 'abcdefghij'.repeat(8), max_tokens: 80 });
    const busy = await Promise.all(
      Array.from({ length: 4 }, () =>
        open(
          url,
          `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        ),
      ),
    );
    await sleep(200);
    const more = await Promise.all(Array.from({ length: 20 }, () => open(url, '')));
    await sleep(200);
    assert.ok(
      half.closed && more.slice(0, 19).every(({ closed }) => closed),
      'one place is left for those that ask for nothing',
    );
    for (
      let tries = 0;
      tries < 800 && busy.some(({ said }) => !said.includes('jihgfedcba'));
      tries++
    ) {
      await sleep(20);
    }
    for (const { said } of busy) assert.match(said, /^HTTP\/1.1 200/);
  }));

test('rubbish instead of HTTP', () =>
  withServer({}, async ({ url }) => {
    for (const text of [
      '\0\0\0\0\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
      'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nx',
    ]) {
      const socket = await open(url, text);
      for (let tries = 0; tries < 50 && socket.said === '' && !socket.closed; tries++) {
        await sleep(20);
      }
      assert.match(socket.said, /^HTTP\/1.1 4\d\d/);
      socket.destroy();
    }
    await serves(url);
  }));

test('a full queue gives 429 with Retry-After, and those that wait come in order', () =>
  withServer({ maxConcurrent: 1, maxQueue: 2 }, async ({ url, generator }) => {
    generator.step = 20;
    const order: number[] = [];
    const start = (index: number): Promise<Answer> =>
      complete(url, { prompt: `${index}xxxxxxxxxx` }).then((answer) => {
        order.push(index);
        return answer;
      });
    const answers = [start(0)];
    await sleep(80);
    answers.push(start(1));
    await sleep(40);
    answers.push(start(2));
    await sleep(40);
    const full = await start(3);
    assert.equal([full.status, code(full)], [429, 'queue_full']);
    assert.ok(Number(full.headers['retry-after']) >= 1);
    assert.equal(
      (await Promise.all(answers)).map(({ status }) => status),
      [200, 200, 200],
    );
    assert.equal(order, [3, 0, 1, 2]);
    assert.is(generator.mostRunning, 1);
  }));

test('a request that takes too long ends, and those in the queue too', () =>
  withServer({ maxConcurrent: 1, requestTimeout: 0.3 }, async ({ url, generator }) => {
    generator.step = 20;
    const [first, second] = await Promise.all([
      complete(url, { prompt: 'x'.repeat(200), max_tokens: 50 }),
      complete(url, { prompt: 'y'.repeat(200), max_tokens: 50 }),
    ]);
    assert.equal([first.status, code(first), second.status], [504, 'timeout', 504]);
    generator.step = 0;
    await serves(url);
  }));

test.run();
