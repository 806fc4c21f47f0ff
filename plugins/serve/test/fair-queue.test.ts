// The queue by itself: fair among clients, in order for each, full, closed. Whom a request counts
// for.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FastifyRequest } from 'fastify';
import { serveOptions } from '@lmflow/plugin-serve';
import { clientOf } from '../src/http/client-identity.ts';
import { FairQueue } from '../src/http/fair-queue.ts';

const eventLoopTurn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/**
 * Asks for turns and writes down who gets one, in order; `ends` end them, `refused` are the
 * requests sent away.
 */
function queue(slots: number, most: number) {
  const fair = new FairQueue(slots, most);
  const [begun, refused]: [string[], string[]] = [[], []];
  const ends: (() => void)[] = [];
  const ask = (name: string, weight = 1, signal = new AbortController().signal): void => {
    void fair.take(name[0]!, weight, signal).then(
      (end) => {
        begun.push(name);
        ends.push(end);
      },
      (error: { code?: string; message: string }) => {
        refused.push(`${name} ${error.code ?? error.message}`);
      },
    );
  };
  return {
    fair,
    begun,
    refused,
    ask,
    endOne: async () => {
      ends.shift()!();
      await eventLoopTurn();
    },
  };
}

test('one client with 60 requests does not keep another one waiting, and goes on in its own order', async () => {
  const { fair, begun, ask, endOne } = queue(2, 64);
  for (let index = 0; index < 62; index++) ask(`a${index}`);
  await eventLoopTurn();
  assert.equal([begun, fair.waiting], [['a0', 'a1'], 60]);
  ask('b0');
  await endOne();
  assert.equal(begun.slice(2), ['b0']);
  await endOne();
  await endOne();
  ask('b1');
  ask('b2');
  ask('c0');
  for (let round = 0; round < 6; round++) await endOne();
  // each gets its share of two slots while it waits; nobody else waiting, all of them are a's again
  assert.equal(begun.slice(3), ['a2', 'a3', 'b1', 'c0', 'a4', 'b2', 'a5', 'a6']);
  for (let round = 0; round < 60; round++) if (fair.running > 0) await endOne();
  assert.equal(
    begun.filter((name) => name.startsWith('a')),
    Array.from({ length: 62 }, (_, index) => `a${index}`),
  );
  assert.equal([fair.waiting, fair.running, fair.requests], [0, 0, 0]);
});

test('a request for many sequences waits until it fits, and nobody passes it', async () => {
  const { begun, ask, endOne } = queue(4, 64);
  ask('a0', 3);
  ask('b0', 4);
  ask('c0');
  await eventLoopTurn();
  assert.equal(begun, ['a0']);
  await endOne();
  assert.equal(begun, ['a0', 'b0']);
  await endOne();
  assert.equal(begun, ['a0', 'b0', 'c0']);
});

test('in a full queue the one with most waiting loses its last request to others, not to its own', async () => {
  const { fair, begun, refused, ask, endOne } = queue(1, 3);
  for (const name of ['a0', 'a1', 'a2', 'a3', 'a4']) ask(name);
  await eventLoopTurn();
  assert.equal(refused, ['a4 queue_full']);
  ask('b0');
  await eventLoopTurn();
  assert.equal(refused, ['a4 queue_full', 'a3 queue_full']);
  ask('b1'); // two of a's wait and one of b's: an equal share
  await eventLoopTurn();
  assert.equal([refused.slice(2), fair.waiting], [['b1 queue_full'], 3]);
  for (let round = 0; round < 3; round++) await endOne();
  assert.equal(begun, ['a0', 'b0', 'a1', 'a2']);
});

test('who leaves the queue is forgotten; at close all are sent away', async () => {
  const { fair, begun, refused, ask, endOne } = queue(1, 8);
  const leaving = new AbortController();
  ask('a0');
  ask('b0', 1, leaving.signal);
  ask('c0');
  await eventLoopTurn();
  leaving.abort(new Error('gone'));
  await eventLoopTurn();
  assert.equal([refused, fair.waiting], [['b0 gone'], 1]);
  await endOne();
  assert.equal(begun, ['a0', 'c0']);
  ask('d0');
  fair.close();
  ask('e0');
  await eventLoopTurn();
  assert.equal(refused.slice(1).sort(), ['d0 shutting_down', 'e0 shutting_down']);
  await endOne();
  assert.equal([fair.waiting, fair.running], [0, 0]);
});

test('a client is a key where there are several, else an address', () => {
  const request = (ip: string, authorization?: string): FastifyRequest =>
    ({ ip, headers: { authorization } }) as FastifyRequest;
  const keys = ['first', 'second'];
  assert.equal(
    ['Bearer first', 'bearer  second'].map((header) => clientOf(request('1.2.3.4', header), keys)),
    ['key 0', 'key 1'],
  );
  assert.equal(
    ['1.2.3.4', '::ffff:1.2.3.4'].map((ip) => clientOf(request(ip, 'Bearer first'), ['first'])),
    ['1.2.3.4', '1.2.3.4'],
  );
  const network = (ip: string): string => clientOf(request(ip), []);
  assert.is(network('2001:db8:0:1::5'), network('2001:0db8:0000:0001:9:8:7:6'));
  assert.is.not(network('2001:db8:0:1::5'), network('2001:db8:0:2::5'));
  assert.is(network('::1'), network('::1%lo'));
  assert.is(network('unknown'), 'unknown');
});

test('trusted proxies are addresses or networks, written in full', () => {
  const takes = (proxy: string): boolean =>
    serveOptions.safeParse({ trustedProxies: [proxy] }).success;
  for (const proxy of ['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', '2001:db8::1/128']) {
    assert.ok(takes(proxy), proxy);
  }
  for (const proxy of ['10/8', '10.1', '0x7f000001', '10.0.0.0/33', '::/129', '10.0.0.0/', 'me']) {
    assert.not.ok(takes(proxy), proxy);
  }
});

test.run();
