// What third parties add to the server: routes, and fields of requests that are for plugins.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import OpenAI from 'openai';
import chatTemplates from '@lmflow/plugin-chat-templates';
import serve, { SERVE_ROUTES, type ServeRoute } from '@lmflow/plugin-serve';
import {
  GENERATOR,
  MODELS,
  REQUEST_SETTINGS,
  definePlugin,
  usageError,
  type PluginContext,
} from '@lmflow/sdk';
import { createTestKernel, type CapturedLog } from 'lmflow/testing';
import { z } from 'zod';
import { FakeGenerator, fakeModel, HERMES } from './fake.ts';

declare module '@lmflow/sdk' {
  interface RequestSettings {
    grammar?: { readonly rules: readonly string[] };
  }
}

const tokensInput = z.object({ text: z.string(), model: z.string().default('fake') });
const aborted: string[] = [];

const routes: ServeRoute[] = [
  {
    name: 'third/tokens',
    method: 'POST',
    handle: ({ input, models }) => {
      const { text, model } = tokensInput.parse(input);
      const found = models.get(model);
      if (!found) throw usageError('LMFLOW_THIRD_MODEL', `no ${model}`, { hint: 'Take fake.' });
      return { body: { count: found.tokenizer.encode(text).ids.length } };
    },
  },
  {
    name: 'third/page',
    method: 'GET',
    handle: async ({ input }) => ({
      status: 201,
      headers: { 'content-type': 'text/html', 'x-third': 'yes' },
      body: `<p>${(input as { name: string }).name}</p>`,
    }),
  },
  { name: 'third/bytes', method: 'GET', handle: () => ({ body: Uint8Array.of(1, 2, 255) }) },
  {
    name: 'third/broken',
    method: 'GET',
    handle: () => {
      throw new Error('a secret of the inside');
    },
  },
  {
    name: 'third/slow',
    method: 'GET',
    handle: ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted.push('slow');
          reject(new Error('gone'));
        });
      }),
  },
];

const settings = z.strictObject({ rules: z.array(z.string().min(1)).min(1) });

const third = (apply: (context: PluginContext) => void) =>
  definePlugin({ name: 'lmflow-plugin-third', version: '1.0.0', sdk: '^1.0.0', apply })();

interface Third {
  readonly url: string;
  readonly client: OpenAI;
  readonly generator: FakeGenerator;
  readonly log: CapturedLog;
}

/** Runs `work` while `lmflow serve` runs, with the plugin of a third party. */
async function withThird(
  apply: (context: PluginContext) => void,
  options: Readonly<Record<string, unknown>>,
  work: (served: Third) => Promise<void>,
): Promise<void> {
  const generator = new FakeGenerator();
  const model = definePlugin({
    name: 'fake',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply(context) {
      context.provide(GENERATOR, () => generator);
      context.provide(MODELS, () => ({ load: async () => fakeModel(HERMES) }));
    },
  })();
  const { kernel, log } = await createTestKernel({
    plugins: [chatTemplates, serve, model, third(apply)],
    config: { model: 'fake', serve: { port: 0, shutdownTimeout: 1, ...options } },
  });
  const controller = new AbortController();
  const run = kernel.run('serve', { signal: controller.signal });
  const ended = run.then(
    () => true,
    () => true,
  );
  const url = async (): Promise<string> => {
    for (;;) {
      const said = log.said.find(({ data }) => data?.['type'] === 'serving');
      if (said) return (said.data as { url: string }).url;
      const over = await Promise.race([
        ended,
        new Promise<false>((wake) => {
          setTimeout(() => {
            wake(false);
          }, 20);
        }),
      ]);
      if (over) await run;
    }
  };
  try {
    const address = await url();
    const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'any', maxRetries: 0 });
    await work({ url: address, client, generator, log });
  } finally {
    controller.abort();
    await ended;
    await kernel.close();
  }
}

const withRoutes = (context: PluginContext): void => {
  for (const route of routes) context.contribute(SERVE_ROUTES, route);
};
const withSetting =
  (name: string) =>
  (context: PluginContext): void => {
    context.contribute(REQUEST_SETTINGS, { name, schema: settings });
  };

const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const errorOf = async (response: Response): Promise<unknown[]> => {
  const { error } = (await response.json()) as { error: Record<string, unknown> };
  return [response.status, error['type'], error['code'], error['param'], error['message']];
};

test('a route answers with JSON, text, bytes, a status and headers of its own', () =>
  withThird(withRoutes, {}, async ({ url }) => {
    const tokens = await post(`${url}/plugins/third/tokens`, { text: 'hello' });
    assert.match(tokens.headers.get('content-type')!, /^application\/json/);
    assert.equal(await tokens.json(), { count: 5 });
    const page = await fetch(`${url}/plugins/third/page?name=me`);
    assert.equal(
      [page.status, page.headers.get('content-type'), page.headers.get('x-third')],
      [201, 'text/html', 'yes'],
    );
    assert.is(page.headers.get('x-content-type-options'), 'nosniff');
    assert.is(await page.text(), '<p>me</p>');
    const bytes = await fetch(`${url}/plugins/third/bytes`);
    assert.equal([...new Uint8Array(await bytes.arrayBuffer())], [1, 2, 255]);
  }));

test("a route's failures are errors in OpenAI's shape", () =>
  withThird(withRoutes, {}, async ({ url, log }) => {
    const invalid = await errorOf(await post(`${url}/plugins/third/tokens`, { text: 7 }));
    assert.equal(invalid.slice(0, 4), [400, 'invalid_request_error', 'invalid_value', 'text']);
    assert.equal(
      await errorOf(await post(`${url}/plugins/third/tokens`, { text: 'x', model: 'y' })),
      [400, 'invalid_request_error', 'LMFLOW_THIRD_MODEL', null, 'no y. Take fake.'],
    );
    assert.equal(await errorOf(await fetch(`${url}/plugins/third/broken`)), [
      500,
      'server_error',
      'route_failed',
      null,
      'The route failed',
    ]);
    assert.match(log.texts('error').join(), /third\/broken failed: a secret/);
    assert.is((await fetch(`${url}/plugins/third/tokens`)).status, 404, 'a GET of a POST');
    assert.is((await fetch(`${url}/plugins/none`)).status, 404);
  }));

test('a route is behind the checks of key and origin', () =>
  withThird(withRoutes, { apiKey: 'secret' }, async ({ url }) => {
    const path = `${url}/plugins/third/page?name=me`;
    assert.is((await fetch(path)).status, 401);
    const authorization = 'Bearer secret';
    assert.is((await fetch(path, { headers: { authorization } })).status, 201);
    const foreign = { authorization, origin: 'https://evil.example' };
    assert.is((await fetch(path, { headers: foreign })).status, 403);
  }));

test('a client that goes away, and the end of the time, abort a route', () =>
  withThird(withRoutes, { requestTimeout: 0.3 }, async ({ url }) => {
    aborted.length = 0;
    assert.is((await fetch(`${url}/plugins/third/slow`)).status, 504);
    const controller = new AbortController();
    const left = fetch(`${url}/plugins/third/slow`, { signal: controller.signal }).catch(() => 0);
    setTimeout(() => {
      controller.abort();
    }, 50);
    assert.is(await left, 0);
    for (let tries = 0; tries < 100 && aborted.length < 2; tries++) {
      await new Promise((wake) => {
        setTimeout(wake, 10);
      });
    }
    assert.equal(aborted, ['slow', 'slow']);
  }));

test('a field for a plugin arrives at the generator, in both endpoints, streamed too', () =>
  withThird(withSetting('grammar'), {}, async ({ client, generator }) => {
    // OpenAI's Python client calls this extra_body
    const extra = { grammar: { rules: ['a'] } };
    await client.completions.create({ model: 'fake', prompt: 'x', ...extra });
    await client.chat.completions.create({
      model: 'fake',
      messages: [{ role: 'user', content: 'x' }],
      ...extra,
    });
    const stream = await client.completions.create({
      model: 'fake',
      prompt: 'xy',
      stream: true,
      ...extra,
    });
    for await (const _ of stream);
    await client.completions.create({ model: 'fake', prompt: 'x', ...{ grammar: null } });
    assert.equal(
      generator.seen.map((seen) => seen.settings),
      [extra, extra, extra, undefined],
    );
  }));

test('a field for a plugin is checked by its schema; other fields are unknown as before', () =>
  withThird(withSetting('grammar'), {}, async ({ url, generator }) => {
    const ask = async (extra: object): Promise<unknown[]> =>
      errorOf(await post(`${url}/v1/completions`, { model: 'fake', prompt: 'x', ...extra }));
    const code = 'invalid_value';
    assert.equal((await ask({ grammar: { rules: [''] } })).slice(0, 4), [
      400,
      'invalid_request_error',
      code,
      'grammar.rules[0]',
    ]);
    assert.equal((await ask({ grammar: 'x' })).slice(2, 4), [code, 'grammar']);
    assert.equal((await ask({ grammars: 'x' })).slice(2, 4), ['unknown_parameter', 'grammars']);
    assert.is(generator.seen.length, 0);
  }));

test('a plugin may take what is refused otherwise', () =>
  withThird(withSetting('response_format'), {}, async ({ client, generator }) => {
    await client.chat.completions.create({
      model: 'fake',
      messages: [{ role: 'user', content: 'x' }],
      ...{ response_format: { rules: ['b'] } },
    } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming);
    assert.equal(generator.seen[0]!.settings, { response_format: { rules: ['b'] } });
  }));

test('names that are taken, and paths that are none, are told before it listens', async () => {
  const codeOf = async (apply: (context: PluginContext) => void): Promise<unknown> => {
    try {
      await withThird(apply, {}, async () => undefined);
      return undefined;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  assert.is(await codeOf(withSetting('temperature')), 'LMFLOW_SERVE_SETTING_NAME');
  assert.is(await codeOf(withSetting('messages')), 'LMFLOW_SERVE_SETTING_NAME');
  assert.is(
    await codeOf((context) => {
      context.contribute(SERVE_ROUTES, { ...routes[0]!, name: ':any' });
    }),
    'LMFLOW_SERVE_ROUTE_INVALID',
  );
});

test.run();
