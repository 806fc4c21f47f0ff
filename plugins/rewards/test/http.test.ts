// A reward over HTTP: batches, a limit of requests at once, tries again, time, and clear errors.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { AnswerToReward, RewardRow } from '@lmflow/sdk';
import { answersOf, errorOf, withRewards } from './kit.ts';

interface Body {
  readonly query: readonly unknown[];
  readonly prompts: readonly unknown[];
  readonly completions: readonly string[];
  readonly columns?: Readonly<Record<string, readonly unknown[]>>;
}

type Handler = (body: Body, response: ServerResponse, request: IncomingMessage) => unknown;

async function bodyOf(request: IncomingMessage): Promise<Body> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as Body;
}

async function withServer<T>(handler: Handler, work: (url: string) => Promise<T>): Promise<T> {
  const server: Server = createServer((request, response) => {
    void bodyOf(request)
      .then((body) => handler(body, response, request))
      .then((answer) => answer !== undefined && response.end(JSON.stringify(answer)));
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/score`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const lengths: Handler = ({ completions }) => ({ rewards: completions.map((one) => one.length) });

async function scored(
  handler: Handler,
  texts: readonly string[] | readonly AnswerToReward[],
  options: Partial<RewardRow> = {},
) {
  const answers = texts.map((one) => (typeof one === 'string' ? answersOf([one])[0]! : one));
  return withServer(handler, async (url) => {
    const row = { type: 'http', url, retryDelay: 0.01, ...options };
    const { totals } = await withRewards([row], (session) => session.score({ answers }));
    return totals;
  });
}

const fail = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status).end(text);
};

test('sends texts, prompts, answers and the columns that are asked for', async () => {
  const bodies: Body[] = [];
  let key: string | undefined;
  const messages = [{ role: 'user', content: 'Two?' }] as const;
  const totals = await scored(
    (body, response, request) => {
      bodies.push(body);
      key = request.headers['x-key'] as string;
      return lengths(body, response, request);
    },
    [
      { prompt: { prompt: 'One? ' }, answer: 'yes', columns: { answer: 1, other: 2 } },
      { prompt: { messages }, answer: 'no' },
    ],
    { columns: ['answer'], headers: { 'x-key': 'secret' } },
  );
  assert.equal(totals, [3, 2]);
  assert.is(key, 'secret');
  assert.equal(bodies, [
    {
      query: ['One? yes', [...messages, { role: 'assistant', content: 'no' }]],
      prompts: ['One? ', messages],
      completions: ['yes', 'no'],
      columns: { answer: [1, null] },
    },
  ]);
});

test('answers of LLaMA-Factory and bare lists are read, null too', async () => {
  assert.equal(await scored(() => ({ scores: [1, null] }), ['a', 'b']), [1, null]);
  assert.equal(await scored(() => [4], ['a']), [4]);
});

test('batches keep their order, and no more requests run than the limit allows', async () => {
  const texts = Array.from({ length: 23 }, (_, index) => 'x'.repeat(index + 1));
  let [running, most, requests] = [0, 0, 0];
  const totals = await scored(
    async (body, response, request) => {
      requests++;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 25 - body.completions[0]!.length));
      running--;
      return lengths(body, response, request);
    },
    texts,
    { batchSize: 5, concurrency: 2 },
  );
  assert.equal(
    totals,
    texts.map((text) => text.length),
  );
  assert.is(requests, 5);
  assert.is(most, 2);
});

test('tries again what may pass, and no longer than told', async () => {
  let calls = 0;
  const shaky: Handler = (body, response, request) => {
    calls++;
    if (calls === 1) return fail(response, 503, 'starting');
    if (calls === 2) return void request.socket.destroy();
    return lengths(body, response, request);
  };
  assert.equal(await scored(shaky, ['abc'], { retries: 2 }), [3]);
  assert.is(calls, 3);
  calls = 0;
  const down: Handler = (_, response) => {
    calls++;
    fail(response, 500, 'out of memory');
  };
  const error = await errorOf(() => scored(down, ['abc', 'de'], { retries: 1, name: 'judge' }));
  assert.is(error.code, 'LMFLOW_REWARD_FAILED');
  assert.match(
    error.message,
    /"judge" failed for 2 answers, from answer 1 \("abc" to .*answered 500: out of memory/,
  );
  assert.is(calls, 2);
});

test('a try has its time', async () => {
  let calls = 0;
  const slow: Handler = (body, response, request) => {
    calls++;
    return calls === 1 ? undefined : lengths(body, response, request);
  };
  assert.equal(await scored(slow, ['abc'], { requestTimeout: 0.1, retries: 1 }), [3]);
  calls = -10;
  const never: Handler = () => undefined;
  const error = await errorOf(() => scored(never, ['abc'], { requestTimeout: 0.05, retries: 0 }));
  assert.match(error.message, /answer 1 .*did not answer within 0\.05 s/);
});

test('what no try can mend is told at once, with the batch it is about', async () => {
  let calls = 0;
  const refuse =
    (answer: Handler): Handler =>
    (body, response, request) => {
      if (body.completions[0] !== 'c') return lengths(body, response, request);
      calls++;
      return answer(body, response, request);
    };
  const cases: [Handler, RegExp][] = [
    [(_, response) => fail(response, 401, 'no key'), /answered 401: no key/],
    [(_, response) => void response.end('<html>'), /answered no JSON: <html>/],
    [() => ({ values: [1] }), /without a list "rewards"/],
    [() => ({ rewards: [1, 2] }), /gave 2 values for 1 answers/],
  ];
  for (const [answer, pattern] of cases) {
    const { code, message } = await errorOf(() =>
      scored(refuse(answer), ['a', 'b', 'c'], { batchSize: 1, concurrency: 1 }),
    );
    assert.is(code, 'LMFLOW_REWARD_FAILED');
    assert.match(message, /failed for answer 3 \("c" to/);
    assert.match(message, pattern);
  }
  assert.is(calls, cases.length);
});

test('an url that is none is refused', async () => {
  const error = await errorOf(() =>
    withRewards([{ type: 'http', url: 'ftp://x' }], async () => undefined),
  );
  assert.is(error.code, 'LMFLOW_REWARD_INVALID');
});

test.run();
