// Malformed inputs by the number: each ends in an error with a code or in a result, within 20 s and
// 1 GB. By hand: node --conditions=lmflow-source --import tsx test/mutate/run.ts [COUNT] [FIRST]
// [SECONDS]: the last where other work makes the machine slow.
import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LONGEST = 20_000;
const MOST_MEMORY = 2 ** 30;

/** What became of the input of a seed. */
export interface Outcome {
  readonly seed: number;
  readonly kind: string;
  /** `ok`, the code of an error, or what is wrong. */
  readonly outcome: string;
  readonly milliseconds: number;
}

/** Whether an input ended as it may. */
export const isFine = ({ outcome }: Outcome): boolean => /^(ok|LMFLOW_\w+)$/.test(outcome);

/** Runs the inputs of `count` seeds, in a process that is started again when one ends it. */
export async function mutate(count: number, first = 0, longest = LONGEST): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let worker: ChildProcess | undefined;
  for (let seed = first; seed < first + count; seed++) {
    worker ??= await start();
    const outcome = await feed(worker, seed, longest);
    outcomes.push(outcome);
    if (!isFine(outcome)) console.error(`seed ${seed} (${outcome.kind}): ${outcome.outcome}`);
    if (/^(HANG|END|MEMORY)/.test(outcome.outcome)) {
      worker.kill('SIGKILL');
      worker = undefined;
    }
  }
  worker?.kill();
  return outcomes;
}

async function start(): Promise<ChildProcess> {
  const worker = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), {
    execArgv: ['--conditions=lmflow-source', '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('exit', (code) => reject(new Error(`the worker ended with ${code} at its start`)));
  });
  worker.removeAllListeners('exit');
  return worker;
}

function feed(worker: ChildProcess, seed: number, longest: number): Promise<Outcome> {
  const begin = performance.now();
  return new Promise((resolve) => {
    const done = (kind: string, outcome: string): void => {
      clearTimeout(hang);
      clearInterval(memory);
      worker.removeAllListeners();
      resolve({ seed, kind, outcome, milliseconds: performance.now() - begin });
    };
    const hang = setTimeout(() => done('?', `HANG over ${longest} ms`), longest);
    const memory = setInterval(() => {
      const bytes = residentBytes(worker.pid!);
      if (bytes > MOST_MEMORY) done('?', `MEMORY ${bytes >>> 20} MB`);
    }, 200);
    worker.once('exit', (code, signal) => done('?', `END ${signal ?? code}`));
    worker.once('message', ({ kind, outcome }: Outcome) => done(kind, outcome));
    worker.send(seed);
  });
}

/** 0 where the system does not say. */
function residentBytes(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [count = 1000, first = 0, seconds = LONGEST / 1000] = process.argv.slice(2).map(Number);
  const outcomes = await mutate(count, first, seconds * 1000);
  const figures = new Map<string, number>();
  for (const { kind, outcome } of outcomes) {
    const name = `${kind} ${outcome.split(/[\s:]/)[0]}`;
    figures.set(name, (figures.get(name) ?? 0) + 1);
  }
  for (const [name, number] of [...figures].sort()) {
    console.log(`${String(number).padStart(5)} ${name}`);
  }
  for (const outcome of outcomes.filter((one) => !isFine(one))) {
    console.log(`\nseed ${outcome.seed} (${outcome.kind}): ${outcome.outcome.slice(0, 600)}`);
  }
  const slowest = Math.max(...outcomes.map(({ milliseconds }) => milliseconds));
  const bad = outcomes.filter((one) => !isFine(one)).length;
  console.log(`\n${outcomes.length} inputs, ${bad} wrong, slowest ${Math.round(slowest)} ms`);
  process.exitCode = bad > 0 ? 1 : 0;
}
