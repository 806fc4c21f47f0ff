// 64 clients at once against a real server (its own process, the real model with two adapters): every answer is checked against the same question's
// own greedy answer; memory is read from the kernel. Not a part of the suite:
//   node --conditions=lmflow-source --import tsx plugins/serve/test/stress.ts [--seconds 60] [--clients 64] [--built]
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeAdapter, STORIES } from './stories.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, clients: { type: 'string', default: '64' }, built: { type: 'boolean', default: false }, serve: { type: 'string', multiple: true, default: [] } } });
const seconds = Number(values.seconds);
const root = resolve(import.meta.dirname, '..', '..', '..');
const say = (text: string): void => { process.stdout.write(`${text}\n`); };

interface Question { readonly model: string; readonly prompt: string; readonly tokens: number }

function startServer(adapters: string): Promise<{ readonly server: ChildProcess; readonly url: string }> {
  const program = values.built ? [resolve(root, 'kernel/bin/lmflow.mjs')] : ['--conditions=lmflow-source', '--import', 'tsx', resolve(root, 'kernel/src/cli.ts')];
  const server = spawn(process.execPath, [...program, 'serve', '--preset', 'inference', '--model', STORIES, '--lora-adapters', adapters, '--serve-port', '0', '--json', ...values.serve], { stdio: ['ignore', 'pipe', 'inherit'], cwd: root });
  return new Promise((done, fail) => {
    server.once('exit', (code) => { fail(new Error(`the server ended with ${code}`)); });
    server.stdout.setEncoding('utf8').on('data', (text: string) => {
      const url = /"url":"([^"]+)"/.exec(text)?.[1];
      if (url !== undefined) done({ server, url });
    });
  });
}

async function ask(url: string, { model, prompt, tokens }: Question, stream: boolean): Promise<string> {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model, prompt, max_tokens: tokens, temperature: 0, stream }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  if (!stream) return (JSON.parse(text) as { choices: { text: string }[] }).choices[0]!.text;
  const lines = text.split('\n\n').filter((line) => line !== '');
  if (lines.pop() !== 'data: [DONE]') throw new Error('a stream without its end');
  return lines.map((line) => (JSON.parse(line.slice(6)) as { choices: { text: string }[] }).choices[0]!.text).join('');
}

/** Resident memory in MB; `RssAnon` without what is mapped from files. */
function resident(server: ChildProcess, kind: 'VmRSS' | 'RssAnon' = 'VmRSS'): number {
  return Number(new RegExp(`${kind}:\\s+(\\d+)`).exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) / 1024;
}

const openings = ['', 'Once upon a time', 'Lily', 'The dog ran to the park. The cat was sad because', 'One day,', 'Tom had a red ball.', 'In the big green forest there lived a small bird who', 'She said,'];
const models = ['stories260k', 'poet', 'chef'];
const questions: Question[] = models.flatMap((model) => openings.flatMap((prompt) => [20, 60].map((tokens) => ({ model, prompt, tokens }))));

const { server, url } = await startServer(`poet=${await makeAdapter('poet', 1)},chef=${await makeAdapter('chef', 2)}`);
const answers = new Map<Question, string>();
for (const question of questions) answers.set(question, await ask(url, question, false));
say(`${new Set(answers.values()).size} different answers to ${questions.length} questions, asked one by one; resident ${resident(server).toFixed(0)} MB`);

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
  say(`${second} s: ${requests} answers, resident ${memory.get(second)!.toFixed(0)} MB, ${resident(server, 'RssAnon').toFixed(0)} of it not from files`);
}, 1000);
await Promise.all(Array.from({ length: Number(values.clients) }, async (_, client) => {
  for (let round = 0; elapsed() < seconds; round++) {
    const question = questions[(client * 7 + round * 5) % questions.length]!;
    const began = performance.now();
    try {
      const text = await ask(url, question, (client + round) % 2 === 0);
      if (text !== answers.get(question)) { wrong += 1; problems.push(`${JSON.stringify(question)}: ${JSON.stringify(text)}`); }
    } catch (error) {
      wrong += 1;
      problems.push(String(error));
    }
    requests += 1;
    slowest.push(performance.now() - began);
  }
}));
clearInterval(watch);
slowest.sort((a, b) => a - b);
const metrics = await (await fetch(`${url}/metrics`)).text();
say(`${requests} requests in ${elapsed().toFixed(1)} s by ${values.clients} clients: ${wrong} wrong or lost; median ${slowest[requests >> 1]!.toFixed(0)} ms, slowest ${slowest.at(-1)!.toFixed(0)} ms`);
for (const problem of problems.slice(0, 5)) say(problem);
for (const name of ['lmflow_tokens_total{kind="completion"}', 'lmflow_http_heap_bytes']) say(metrics.split('\n').find((line) => line.startsWith(name))!);
const [early, late] = [memory.get(20), [...memory.values()].at(-1)];
if (early !== undefined && late !== undefined) say(`resident memory at the end / at 20 s: ${(late / early).toFixed(3)}`);
server.removeAllListeners('exit').kill('SIGINT');
await new Promise((done) => server.once('exit', done));
process.exitCode = wrong === 0 ? 0 : 1;
