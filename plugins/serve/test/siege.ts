// Hostile clients against a real server (its own process, the real model), all at once, while
// somebody asks a normal question again and again.
// 127.0.0.1 only, 20 s. Not a part of the suite:
// ulimit -n 20000; node --conditions=lmflow-source --import tsx plugins/serve/test/siege.ts
// [--connections 10000] [--reconnect 10] [--max 1024] [--only idle] [--built]
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ask, resident, startServer, type Question } from './process.ts';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '20' },
    max: { type: 'string', default: '1024' },
    reconnect: { type: 'string', default: '10' },
    only: { type: 'string' },
    built: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const { server, url } = await startServer(values.built, ['--serve-max-connections', values.max]);
const port = Number(new URL(url).port);
const question: Question = { model: 'stories260k', prompt: 'Once upon a time', tokens: 8 };
const expected = await ask(url, question, false);
const end = performance.now() + Number(values.seconds) * 1000;
const going = (): boolean => performance.now() < end;
const statuses = new Map<string, number>();
const note = (kind: string, text: string): void => {
  const key = `${kind}: ${/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 'closed'}`;
  statuses.set(key, (statuses.get(key) ?? 0) + 1);
};

/**
 * A connection that first says `text` and settles with the answer when it is closed; `feed` goes on
 * talking.
 */
function talk(
  text: string,
  feed: (socket: Socket) => Promise<void> = async () => undefined,
): Promise<string> {
  return new Promise((done) => {
    let said = '';
    const socket = connect(port, '127.0.0.1', () => {
      if (text !== '') socket.write(text);
      void feed(socket);
    });
    socket.setEncoding('latin1').on('data', (part: string) => {
      said += part;
      if (/\r\n\r\n/.test(said)) {
        setTimeout(() => {
          socket.destroy();
        }, 50);
      }
    });
    socket
      .on('error', () => undefined)
      .on('close', () => {
        done(said);
      });
  });
}

const post = (rest: string): string =>
  `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${rest}`;
const megabyte = 'x'.repeat(1_048_576);
const attackers: Record<string, { readonly count: number; readonly once: () => Promise<string> }> =
  {
    // all opened within two seconds, and again so many seconds after they were closed
    idle: { count: Number(values.connections), once: () => talk('') },
    'slow headers': {
      count: 100,
      once: () =>
        talk('GET /health HTTP/1.1\r\nhost: localhost\r\n', async (socket) => {
          while (going() && !socket.destroyed) {
            socket.write('x: y\r\n');
            await sleep(500);
          }
        }),
    },
    'slow body': {
      count: 100,
      once: () =>
        talk(post('content-length: 1000\r\n\r\n{'), async (socket) => {
          while (going() && !socket.destroyed) {
            socket.write(' ');
            await sleep(500);
          }
        }),
    },
    'bad JSON': { count: 4, once: () => talk(post('content-length: 10\r\n\r\n{"model": ')) },
    '100 MB': {
      count: 2,
      once: () =>
        talk(post('transfer-encoding: chunked\r\n\r\n'), async (socket) => {
          for (let sent = 0; sent < 100 && !socket.destroyed; sent++) {
            socket.write(`100000\r\n${megabyte}\r\n`);
            await sleep(5);
          }
        }),
    },
    'endless prompt': {
      count: 4,
      once: () => {
        const body = JSON.stringify({
          model: 'stories260k',
          prompt: 'Once upon a time '.repeat(50_000),
        });
        return talk(post(`content-length: ${body.length}\r\n\r\n${body}`));
      },
    },
    'reads nothing': {
      count: 4,
      once: () => {
        const body = JSON.stringify({
          model: 'stories260k',
          prompt: 'Lily',
          max_tokens: 200,
          stream: true,
        });
        return talk(post(`content-length: ${body.length}\r\n\r\n${body}`), async (socket) => {
          socket.pause();
          await sleep(2000);
          socket.destroy();
        });
      },
    },
  };

let open = 0;
let most = 0;
const siege = Object.entries(attackers)
  .filter(([kind]) => values.only === undefined || kind === values.only)
  .map(async ([kind, { count, once }]) => {
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        if (kind === 'idle') await sleep((index / count) * 2000);
        while (going()) {
          open += 1;
          most = Math.max(most, open);
          note(kind, await once());
          open -= 1;
          await sleep(kind === 'idle' ? Number(values.reconnect) * 1000 : 100);
        }
      }),
    );
  });

// in a thread of its own: this one is busy with being hostile
const normal = new Worker(
  `
  const { parentPort, workerData: { url, body, expected, until } } = require('node:worker_threads');
  (async () => {
    const [times, failures] = [[], []];
    while (Date.now() < until) {
      const start = performance.now();
      try {
        const response = await fetch(url + '/v1/completions', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
        const text = await response.text();
        if (JSON.parse(text).choices?.[0].text !== expected) throw new Error(text);
        times.push(performance.now() - start);
      } catch (error) { failures.push(String(error) + ' ' + String(error.cause ?? '')); }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    parentPort.postMessage({ times, failures });
  })();`,
  {
    eval: true,
    workerData: {
      url,
      expected,
      until: Date.now() + Number(values.seconds) * 1000,
      body: JSON.stringify({
        model: question.model,
        prompt: question.prompt,
        max_tokens: question.tokens,
        temperature: 0,
      }),
    },
  },
);
let highest = 0;
const watch = setInterval(() => {
  highest = Math.max(highest, resident(server));
}, 200);
const { times, failures } = await new Promise<{ times: number[]; failures: string[] }>(
  (done, fail) => normal.once('message', done).once('error', fail),
);
clearInterval(watch);
times.sort((a, b) => a - b);
for (const failure of new Set(failures)) say(`a normal request: ${failure}`);
say(
  `${times.length} normal requests answered rightly, ${failures.length} failed; median ${times[times.length >> 1]?.toFixed(0)} ms, slowest ${times.at(-1)?.toFixed(0)} ms`,
);
say(
  `at most ${most} attackers' connections tried at once; server's resident memory at most ${highest.toFixed(0)} MB`,
);
for (const [key, count] of [...statuses].sort()) say(`${key} ${count}`);
const last = performance.now();
await ask(url, question, false);
say(`afterwards a request takes ${(performance.now() - last).toFixed(0)} ms`);
server.removeAllListeners('exit').kill('SIGINT');
await new Promise((done) => server.once('exit', done));
await Promise.race([Promise.all(siege), sleep(5000)]);
process.exit(failures.length === 0 ? 0 : 1);
