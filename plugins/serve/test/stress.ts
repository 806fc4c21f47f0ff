// 64 clients at once against a real server (its own process, the real model with two adapters):
// every answer is checked against the same question's own greedy answer; memory is read from the
// kernel. Not a part of the suite:
// node --conditions=lmflow-source --import tsx plugins/serve/test/stress.ts [--seconds 60]
// [--clients 64] [--built]
import { parseArgs } from 'node:util';
import { ask, resident, startServer, type Question } from './process.ts';
import { makeAdapter } from './stories.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '64' },
    built: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const openings = [
  '',
  'Once upon a time',
  'Lily',
  'The dog ran to the park. The cat was sad because',
  'One day,',
  'Tom had a red ball.',
  'In the big green forest there lived a small bird who',
  'She said,',
];
const models = ['stories260k', 'poet', 'chef'];
const questions: Question[] = models.flatMap((model) =>
  openings.flatMap((prompt) => [20, 60].map((tokens) => ({ model, prompt, tokens }))),
);

const { server, url } = await startServer(values.built, [
  '--lora-adapters',
  `poet=${await makeAdapter('poet', 1)},chef=${await makeAdapter('chef', 2)}`,
]);
const answers = new Map<Question, string>();
for (const question of questions) answers.set(question, await ask(url, question, false));
say(
  `${new Set(answers.values()).size} different answers to ${questions.length} questions, asked one by one; resident ${resident(server).toFixed(0)} MB`,
);

const start = performance.now();
const elapsed = (): number => (performance.now() - start) / 1000;
let [requests, wrong] = [0, 0];
const problems: string[] = [];
const slowest: number[] = [];
const memory = new Map<number, number>();
const watch = setInterval(() => {
  const second = Math.round(elapsed());
  if (second % 5 !== 0) return;
  memory.set(second, resident(server));
  say(
    `${second} s: ${requests} answers, resident ${memory.get(second)!.toFixed(0)} MB, ${resident(server, 'RssAnon').toFixed(0)} of it not from files`,
  );
}, 1000);
await Promise.all(
  Array.from({ length: Number(values.clients) }, async (_, client) => {
    for (let round = 0; elapsed() < seconds; round++) {
      const question = questions[(client * 7 + round * 5) % questions.length]!;
      const began = performance.now();
      try {
        const text = await ask(url, question, (client + round) % 2 === 0);
        if (text !== answers.get(question)) {
          wrong += 1;
          problems.push(`${JSON.stringify(question)}: ${JSON.stringify(text)}`);
        }
      } catch (error) {
        wrong += 1;
        problems.push(String(error));
      }
      requests += 1;
      slowest.push(performance.now() - began);
    }
  }),
);
clearInterval(watch);
slowest.sort((a, b) => a - b);
const metrics = await (await fetch(`${url}/metrics`)).text();
say(
  `${requests} requests in ${elapsed().toFixed(1)} s by ${values.clients} clients: ${wrong} wrong or lost; median ${slowest[requests >> 1]!.toFixed(0)} ms, slowest ${slowest.at(-1)!.toFixed(0)} ms`,
);
for (const problem of problems.slice(0, 5)) say(problem);
for (const name of ['lmflow_tokens_total{kind="completion"}', 'lmflow_http_heap_bytes']) {
  say(metrics.split('\n').find((line) => line.startsWith(name))!);
}
const [early, late] = [memory.get(20), [...memory.values()].at(-1)];
if (early !== undefined && late !== undefined) {
  say(`resident memory at the end / at 20 s: ${(late / early).toFixed(3)}`);
}
server.removeAllListeners('exit').kill('SIGINT');
await new Promise((done) => server.once('exit', done));
process.exitCode = wrong === 0 ? 0 : 1;
