// HTTP that this server does not speak: bodies in other encodings, targets and Host headers of which
// a proxy in front might make something else. Each error has OpenAI's shape.
import { setTimeout } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ask, code, open, type Answer } from './client.ts';
import { withServer } from './fake.ts';

const post = (
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answer> => ask(`${url}/v1/completions`, { method: 'POST', headers, body });

test('a body in invalid UTF-8 is a 400, one with any character of Unicode is taken as it is', () =>
  withServer({}, async ({ url, generator }) => {
    const body = (bytes: Uint8Array): Uint8Array =>
      Buffer.concat([Buffer.from('{"model": "fake", "prompt": "'), bytes, Buffer.from('"}')]);
    for (const bytes of [
      [0xff],
      [0xc3],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
    ]) {
      const answer = await post(url, body(Uint8Array.from(bytes)));
      assert.equal([answer.status, code(answer)], [400, 'invalid_utf8'], String(bytes));
    }
    assert.is(generator.seen.length, 0);
    const whole = body(Buffer.from('\u00e9\u2028\ufffd'));
    assert.is((await post(url, whole)).status, 200);
    assert.is(generator.seen[0]!.prompt, '\u00e9\u2028\ufffd');
  }));

test('a body nested deeper than 1000 levels is a 400 wherever the nesting stands', () =>
  withServer({}, async ({ url }) => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    for (const body of [
      nested(1001),
      `{"model": "fake", "prompt": ${nested(200_000)}}`,
      `{"model": "fake", "prompt": "x", "tools": ${nested(200_000)}}`,
      `{"model": "fake", "prompt": "x", "unknown": ${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}}`,
    ]) {
      const answer = await post(url, body);
      assert.equal([answer.status, code(answer)], [400, 'invalid_body'], body.slice(0, 50));
    }
    const answer = await post(url, `{"model": "fake", "prompt": ${nested(999)}}`);
    assert.equal([answer.status, code(answer)], [400, 'invalid_value']);
  }));

test('content-encoding and charsets other than UTF-8 are a 415', () =>
  withServer({}, async ({ url }) => {
    const body = '{"model": "fake", "prompt": "x"}';
    for (const headers of [
      { 'content-encoding': 'gzip' },
      { 'content-encoding': 'br, gzip' },
      { 'content-type': 'application/json; charset=utf-16' },
      { 'content-type': 'application/json; charset="latin1"' },
    ] as Record<string, string>[]) {
      const answer = await post(url, body, headers);
      assert.equal([answer.status, code(answer)], [415, 'unsupported_media_type']);
    }
    for (const headers of [
      { 'content-encoding': 'identity' },
      { 'content-type': 'application/json; charset=UTF-8' },
    ] as Record<string, string>[]) {
      assert.is((await post(url, body, headers)).status, 200);
    }
  }));

async function said(url: string, text: string): Promise<{ status: number; error: unknown }> {
  const socket = await open(url, text);
  for (let tries = 0; tries < 100 && !/\}$/.test(socket.said) && !socket.closed; tries++) {
    await setTimeout(20);
  }
  socket.destroy();
  const [head, body] = socket.said.split('\r\n\r\n');
  const { error } = JSON.parse(body ?? '') as { error: Record<string, unknown> };
  assert.equal(Object.keys(error), ['message', 'type', 'param', 'code']);
  return { status: Number(head!.split(' ')[1]), error: error['code'] };
}

test('requests of which a proxy might make others, in the shape of OpenAI', () =>
  withServer({}, async ({ url }) => {
    const host = 'host: localhost\r\n';
    for (const [request, status, error] of [
      [`GET /v1/models HTTP/1.1\r\n${host}${host}\r\n`, 400, 'invalid_host'],
      [`GET /v1/models HTTP/1.1\r\n${host}Host: evil.example\r\n\r\n`, 400, 'invalid_host'],
      ['GET /v1/models HTTP/1.1\r\n\r\n', 400, 'invalid_host'],
      [`GET http://localhost/v1/models HTTP/1.1\r\n${host}\r\n`, 400, 'invalid_target'],
      [`GET http://evil.example/v1/models HTTP/1.1\r\n${host}\r\n`, 400, 'invalid_target'],
      [`CONNECT evil.example:443 HTTP/1.1\r\n${host}\r\n`, 400, null],
      [`GET /%zz HTTP/1.1\r\n${host}\r\n`, 400, 'fst_err_bad_url'],
      [`GET /v1/models HTTP/1.1\r\n${host}expect: tea\r\n\r\n`, 417, 'expectation_failed'],
      [`GET / HTTP/1.1\r\n${host}x: ${'y'.repeat(20_000)}\r\n\r\n`, 431, null],
      [`BREW / HTTP/1.1\r\n${host}\r\n`, 400, null],
      [`GET /v1/models/${'x'.repeat(300)} HTTP/1.1\r\n${host}\r\n`, 404, 'model_not_found'],
      [`DELETE /v1/models HTTP/1.1\r\n${host}\r\n`, 404, 'unknown_url'],
    ] as const) {
      assert.equal(await said(url, request), { status, error }, request.slice(0, 60));
    }
  }));

test('a request that comes while the server closes gets 503 in the shape of OpenAI', () =>
  withServer({}, async ({ url, server, generator }) => {
    generator.step = 10;
    const body = JSON.stringify({ model: 'fake', prompt: 'x'.repeat(50), max_tokens: 50 });
    const head = 'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n';
    const rest = `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const late = await open(url, head);
    const first = await open(url, head + rest);
    for (let tries = 0; tries < 100 && generator.running === 0; tries++) await setTimeout(10);
    const stopped = server.stop();
    await setTimeout(100);
    late.write(rest);
    await stopped;
    for (let tries = 0; tries < 100 && !late.closed; tries++) await setTimeout(10);
    assert.match(first.said, /^HTTP\/1.1 200 /);
    assert.match(late.said, /^HTTP\/1.1 503 /);
    assert.match(late.said, /"code":"shutting_down"/);
  }));

test.run();
