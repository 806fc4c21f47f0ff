// QLoRA on a Llama shape of 6.7 billion parameters (random bfloat16 weights, written shard by
// shard: 13.5 GB, and 5 GB of cache): time and peak memory of quantizing, then of training steps,
// each in a process of its own. Everything is deleted afterwards unless --keep. Usage:
// node --conditions=lmflow-source --import tsx test/bench/seven-billion.ts [--stage
// write|quantize|train] [--length 256] [--steps 2] [--shape 7b] [--keep]
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, readdirSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder } from '@lmflow/sdk/files';
import { createKernel, silentLogger } from 'lmflow';
import {
  definePlugin,
  LANGUAGE_MODELING,
  MODELS,
  randomStream,
  TRAINER,
  type Samples,
} from '@lmflow/sdk';
import { z } from 'zod';
import qlora from '@lmflow/preset-qlora';
import { checkpoint } from './shapes.ts';

const { values } = parseArgs({
  options: {
    stage: { type: 'string' },
    length: { type: 'string', default: '256' },
    steps: { type: 'string', default: '2' },
    shape: { type: 'string', default: '7b' },
    keep: { type: 'boolean', default: false },
  },
});
const cache = process.env['LMFLOW_BENCH_CACHE'] ?? cacheFolder('bench');
const folder = join(cache, `${values.shape}-2`); // where checkpoint() puts it
const derived = join(cache, `${values.shape}-derived`);
const length = Number(values.length);
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const STAGES: Readonly<Record<string, () => Promise<void>>> = {
  async write() {
    mkdirSync(cache, { recursive: true });
    await checkpoint(values.shape, cache);
    say(`checkpoint: ${gigabytes(bytesIn(folder))}   ${memory()}`);
  },
  async quantize() {
    const started = performance.now();
    const { kernel } = await load();
    await kernel.close();
    say(
      `quantizing: ${((performance.now() - started) / 1000).toFixed(0)} s, 4-bit files ${gigabytes(bytesIn(join(derived, 'qlora')))}   ${memory()}`,
    );
  },
  async train() {
    const started = performance.now();
    const { kernel, model } = await load();
    const linears = model.linears
      .filter(({ layer }) => layer !== undefined)
      .reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0);
    say(
      `${(linears / 1e9).toFixed(2)} billion numbers in 4-bit linears: ${(bytesIn(join(derived, 'qlora')) / (4 * linears)).toFixed(4)}x float32; loaded after ${((performance.now() - started) / 1000).toFixed(0)} s   ${memory()}`,
    );
    await kernel.resolve(TRAINER).fit({
      model,
      train: randomTokens(model.architecture.vocabularySize),
      objective: kernel.resolve(LANGUAGE_MODELING),
    });
    await kernel.close();
  },
};

if (values.stage === undefined) {
  const flags = ['--length', values.length, '--steps', values.steps, '--shape', values.shape];
  for (const stage of Object.keys(STAGES)) {
    execFileSync(
      process.execPath,
      [...process.execArgv, import.meta.filename, '--stage', stage, ...flags],
      { stdio: 'inherit' },
    );
  }
  if (!values.keep) for (const made of [folder, derived]) rmSync(made, { recursive: true });
} else await STAGES[values.stage]!();

async function load() {
  const report = definePlugin({
    name: 'lmflow-plugin-bench-memory',
    version: '0.0.0',
    sdk: '^1.0.0',
    options: { section: 'benchMemory', schema: z.object({}) },
    apply({ hooks }) {
      hooks.onStep.tap(({ number, loss, seconds }) => {
        say(
          `step ${number}: ${seconds!.toFixed(1)} s (${(length / seconds!).toFixed(2)} tokens/s), loss ${loss!.toFixed(4)}   ${memory()}`,
        );
      });
    },
  });
  const kernel = await createKernel(
    {
      presets: [qlora],
      plugins: [report],
      model: folder,
      outputDir: join(derived, 'out'),
      overwriteOutputDir: true,
      qlora: { cacheDir: join(derived, 'qlora') },
      engineOnnx: { cacheDir: join(derived, 'weights') },
      gradientCheckpointing: true,
      perDeviceTrainBatchSize: 1,
      maxSteps: Number(values.steps),
      saveStrategy: 'no',
      padToMultipleOf: 1,
    },
    { log: silentLogger() },
  );
  return {
    kernel,
    model: await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'training', source: folder }),
  };
}

/** Sequences of random tokens, every one labelled. */
function randomTokens(vocabulary: number): Samples {
  const samples = Number(values.steps);
  return {
    length: samples,
    fingerprint: 'bench',
    lengthOf: () => length,
    get: (index) => {
      const random = randomStream(0, 'tokens', index);
      const inputIds = Int32Array.from({ length }, (_, place) => random.bits(place) % vocabulary);
      return { inputIds, labels: inputIds };
    },
    statistics: {
      samples,
      tokens: samples * length,
      trainedTokens: samples * (length - 1),
      truncated: 0,
      dropped: 0,
    },
  };
}

/**
 * The process's largest resident set so far, and what is resident now: its own pages, and pages of
 * files it maps (which the system may drop).
 */
function memory(): string {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (key: string): string =>
    gigabytes(1024 * Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]));
  return `peak RSS ${of('VmHWM')} (now ${of('VmRSS')}: own ${of('RssAnon')}, mapped files ${of('RssFile')})`;
}

function bytesIn(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
