// `npm run bench -- decode [float|int8|int4|int4-32 ...]`: prefill and decoding of the 134.5 M
// shape beside node-llama-cpp and transformers.js, which LMFLOW_BENCH_PEERS names a folder with
// (`npm install --ignore-scripts node-llama-cpp @huggingface/transformers` in it). All sides are
// loaded, then take turns; medians of rounds, ratios are medians of the rounds' ratios.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkpoint } from './shapes.ts';
import { Side } from './side.ts';

/** Tokens decoded in a round, after a prompt of 8; tokens of the prompt that is only read. */
export const NEW_TOKENS = 200;
export const READ_TOKENS = 256;
const ROUNDS = Number(process.env['LMFLOW_BENCH_PAIRS'] ?? 5);
const THREADS = process.env['LMFLOW_BENCH_THREADS'] ?? '2';

export interface DecodeReport {
  readonly seconds: number;
  readonly prefill_seconds: number;
  readonly rss_bytes: number;
  readonly peak_rss_bytes: number;
}

/** Token ids that no side treats in a special way. */
export function promptOf(length: number, row = 0): Int32Array {
  return Int32Array.from({ length }, (_, place) => 300 + (((place + 31 * row) * 7919) % 40000));
}

/** `bits`: of ours, after a colon the block size where it is not the default. */
interface Case {
  readonly bits: string;
  readonly gguf: string;
  readonly onnx: string;
  readonly dtype: string;
}
const CASES: Readonly<Record<string, Case>> = {
  float: { bits: 'float', gguf: 'f32', onnx: 'f32', dtype: 'fp32' },
  int8: { bits: '8', gguf: 'q8_0', onnx: 'q8', dtype: 'q8' },
  int4: { bits: '4', gguf: 'q4_0', onnx: 'q4', dtype: 'q4' },
  'int4-32': { bits: '4:32', gguf: 'q4_0', onnx: 'q4', dtype: 'q4' },
};

const here = import.meta.dirname;
const node = ['--conditions=lmflow-source', '--import', 'tsx'];

/** Measures the cases that are named, or all. */
export async function benchDecode(names: readonly string[], cache: string): Promise<void> {
  const folder = await checkpoint('134m', cache);
  const peers = process.env['LMFLOW_BENCH_PEERS'];
  console.log(
    peers === undefined ? 'no peers (set LMFLOW_BENCH_PEERS to compare)' : `peers of ${peers}`,
  );
  for (const name of names.length > 0 ? names : Object.keys(CASES)) {
    const entry = CASES[name];
    if (!entry) {
      throw new Error(`there is no case "${name}"; known: ${Object.keys(CASES).join(', ')}`);
    }
    await measure(name, entry, folder, cache, peers);
  }
}

async function measure(
  name: string,
  { bits, gguf, onnx, dtype }: Case,
  folder: string,
  cache: string,
  peers: string | undefined,
): Promise<void> {
  const sides = new Map([
    [
      'ours',
      new Side(process.execPath, [...node, join(here, 'decode-ours.ts'), folder, bits, THREADS]),
    ],
  ]);
  if (peers !== undefined) {
    const file = exported(folder, join(cache, `134m-gguf-${gguf}`), [
      '--format',
      'gguf',
      '--quantization',
      gguf,
    ]);
    // On some machines its threads wait for one another so long that one alone decodes faster: a
    // side of its own.
    for (const threads of new Set([THREADS, '1'])) {
      sides.set(
        `node-llama-cpp${threads === THREADS ? '' : ', 1 thread'}`,
        new Side(process.execPath, [
          join(here, 'decode-llamacpp.mjs'),
          peers,
          join(
            file,
            readdirSync(file).find((one) => one.endsWith('.gguf'))!,
          ),
          threads,
        ]),
      );
    }
    const onnxFolder = exported(folder, join(cache, `134m-onnx-${onnx}`), [
      '--format',
      'onnx',
      '--quantization',
      onnx,
    ]);
    sides.set(
      'transformers.js',
      new Side(process.execPath, [
        join(here, 'decode-transformersjs.mjs'),
        peers,
        onnxFolder,
        dtype,
        THREADS,
      ]),
    );
  }
  for (const side of sides.values()) await side.ready();
  const names = [...sides.keys()];
  const rounds: Record<string, DecodeReport>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const found: Record<string, DecodeReport> = {};
    // A round begins with another side each time.
    for (const side of [
      ...names.slice(round % names.length),
      ...names.slice(0, round % names.length),
    ]) {
      found[side] = await sides.get(side)!.ask<DecodeReport>('step', 'prefill_seconds');
    }
    rounds.push(found);
  }
  for (const side of sides.values()) side.close();
  console.log(
    `\ndecode ${name}: ${NEW_TOKENS} tokens after 8, batch 1; prompt of ${READ_TOKENS}; ${ROUNDS} rounds, ${THREADS} threads`,
  );
  const of = (side: string, figure: (report: DecodeReport) => number): number =>
    median(rounds.map((round) => figure(round[side]!)));
  for (const side of names) {
    const ratio = (figure: keyof DecodeReport): string =>
      side === 'ours'
        ? ''
        : ` (ours ${median(rounds.map((round) => round[side]![figure] / round['ours']![figure])).toFixed(2)}x)`;
    console.log(
      `  ${side.padEnd(24)} decode ${(NEW_TOKENS / of(side, (report) => report.seconds)).toFixed(1)} tokens/s${ratio('seconds')}   ` +
        `prefill ${(READ_TOKENS / of(side, (report) => report.prefill_seconds)).toFixed(0)} tokens/s${ratio('prefill_seconds')}   RSS ${(of(side, (report) => report.rss_bytes) / 1e6).toFixed(0)} MB, peak ${(of(side, (report) => report.peak_rss_bytes) / 1e6).toFixed(0)} MB`,
    );
  }
}

/** The folder of an export of ours, made once. */
function exported(model: string, folder: string, options: readonly string[]): string {
  if (!existsSync(folder)) {
    execFileSync(
      process.execPath,
      [
        ...node,
        join(here, '../../kernel/src/cli.ts'),
        'export',
        '--model',
        model,
        '--output-dir',
        folder,
        ...options,
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
  }
  return folder;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
