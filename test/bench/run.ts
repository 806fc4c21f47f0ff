// `npm run bench [-- CASE ...]`: speed and memory of training steps, beside PyTorch + PEFT where
// LMFLOW_BENCH_PYTHON names a Python that has them (PEFT in float32, plain LoRA also where ours
// computes in int8), or beside our own LoRA. Both sides are loaded, then take turns step by step;
// medians are from the third step on, ratios are medians of pairs. `-- decode` is in decode.ts.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '@lmflow/sdk/files';
import { checkpoint } from './shapes.ts';
import { Side, type StepReport } from './side.ts';

interface Case {
  readonly shape: string;
  readonly method: 'lora' | 'qlora' | 'int8' | 'full';
  readonly length: number;
  /** Both sides recompute every block. */
  readonly checkpointing?: boolean;
  /** Compared with our own LoRA instead of PEFT. */
  readonly besideOurs?: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  lora: { shape: '134m', method: 'lora', length: 512 },
  'lora-checkpointing': { shape: '134m', method: 'lora', length: 512, checkpointing: true },
  full: { shape: '134m', method: 'full', length: 512 },
  int8: { shape: '134m', method: 'int8', length: 512 },
  qlora: { shape: '134m', method: 'qlora', length: 512, besideOurs: true },
  '1b': { shape: '1.1b', method: 'lora', length: 256 },
  '1b-int8': { shape: '1.1b', method: 'int8', length: 256 },
};
const PAIRS = Number(process.env['LMFLOW_BENCH_PAIRS'] ?? 7);
const WARM_UP = 2;

const python = process.env['LMFLOW_BENCH_PYTHON'];
const here = import.meta.dirname;
const cache = process.env['LMFLOW_BENCH_CACHE'] ?? cacheFolder('bench');
const node = ['--conditions=lmflow-source', '--import', 'tsx'];
mkdirSync(cache, { recursive: true });
console.log(
  `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}${python === undefined ? '; no peer (set LMFLOW_BENCH_PYTHON to compare)' : ''}`,
);

const named = process.argv.slice(2).filter((word) => !word.startsWith('-'));
if (named[0] === 'decode') {
  const { benchDecode } = await import('./decode.ts');
  await benchDecode(named.slice(1), cache);
  process.exit(0);
}
for (const name of named.length > 0 ? named : Object.keys(CASES)) {
  const entry = CASES[name];
  if (!entry) {
    throw new Error(`there is no benchmark "${name}"; known: ${Object.keys(CASES).join(', ')}`);
  }
  await measure(name, entry);
}

async function measure(name: string, entry: Case): Promise<void> {
  const { shape, method, length } = entry;
  const folder = await checkpoint(shape, cache);
  const ours = ourSide(folder, entry);
  await ours.ready();
  const ourFirstStep = await ours.step();
  const ourFirst = ours.age();
  const peer = entry.besideOurs
    ? ourSide(folder, { ...entry, method: 'lora' })
    : peerSide(folder, entry);
  const peerName = entry.besideOurs ? 'LoRA' : 'PEFT';
  await peer?.ready();
  const peerFirstStep = await peer?.step();
  const peerFirst = peer?.age();
  const pairs: { readonly ours: StepReport; readonly peer: StepReport | undefined }[] = [];
  for (let pair = 0; pair < PAIRS + WARM_UP - 1; pair++) {
    // In turn, so that neither side is always the one that runs after the other.
    const [first, second] = pair % 2 === 0 ? [ours, peer] : [peer, ours];
    const [one, other] = [await first?.step(), await second?.step()];
    pairs.push(first === ours ? { ours: one!, peer: other } : { ours: other!, peer: one });
  }
  ours.close();
  peer?.close();
  const timed = pairs.slice(WARM_UP - 1);
  const told = execFileSync(
    process.execPath,
    [
      ...node,
      join(here, 'matmuls.ts'),
      folder,
      method === 'full' ? 'full' : 'lora',
      String(length),
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  // messages of the engine come before it
  const floor = JSON.parse(told.trim().split('\n').at(-1)!) as { seconds: number };
  const mine = median(timed.map((pair) => pair.ours.seconds));
  const ourPeak = timed.at(-1)!.ours.peak_rss_bytes;
  console.log(
    `\n${name}: Llama ${shape}, ${method}${entry.checkpointing ? ', every block recomputed' : ''}, one sequence of ${length} tokens`,
  );
  console.log(
    `  ours  ${rate(length, mine)} tokens/s   peak ${gigabytes(ourPeak)}   first step after ${ourFirst.toFixed(1)} s   loss ${ourFirstStep.loss.toFixed(4)}   ${(mine / floor.seconds).toFixed(2)}x its dense matmuls alone in float32 (${floor.seconds.toFixed(2)} s)`,
  );
  if (!peerFirstStep) return;
  const theirs = median(timed.map((pair) => pair.peer!.seconds));
  const peerPeak = timed.at(-1)!.peer!.peak_rss_bytes;
  console.log(
    `  ${peerName}  ${rate(length, theirs)} tokens/s   peak ${gigabytes(peerPeak)}   first step after ${peerFirst!.toFixed(1)} s   loss ${peerFirstStep.loss.toFixed(4)}`,
  );
  console.log(
    `  ratio of speed ${median(timed.map((pair) => pair.peer!.seconds / pair.ours.seconds)).toFixed(2)} (median of ${timed.length} pairs), of memory ${(ourPeak / peerPeak).toFixed(2)}`,
  );
}

function ourSide(folder: string, { method, length, checkpointing }: Case): Side {
  return new Side(process.execPath, [
    ...node,
    join(here, 'ours.ts'),
    folder,
    method,
    String(length),
    ...(checkpointing ? ['checkpointing'] : []),
  ]);
}

function peerSide(folder: string, { method, length, checkpointing }: Case): Side | undefined {
  if (python === undefined) return undefined;
  return new Side(python, [
    join(here, 'peer.py'),
    '--model',
    folder,
    '--method',
    method === 'full' ? 'full' : 'lora',
    '--length',
    String(length),
    ...(checkpointing ? ['--checkpointing'] : []),
  ]);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function rate(tokens: number, seconds: number): string {
  return (tokens / seconds).toFixed(0).padStart(5);
}
function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
