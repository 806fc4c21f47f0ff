// Our side of the benchmark: the product's own training loop, held before each step until a line
// {"command":"step"} arrives on stdin. Speaks the protocol of peer.py. Usage: ours.ts MODEL
// lora|qlora|int8|full LENGTH [checkpointing]
import { createInterface } from 'node:readline';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKernel } from 'lmflow';
import {
  definePlugin,
  LANGUAGE_MODELING,
  MODELS,
  randomStream,
  TRAINER,
  type Sample,
  type Samples,
} from '@lmflow/sdk';
import { z } from 'zod';
import finetune from '@lmflow/preset-finetune';
import int8Compute from '@lmflow/plugin-int8-compute';
import lora from '@lmflow/preset-lora';
import qlora from '@lmflow/preset-qlora';

const started = performance.now();
const [model = '', method = 'lora', lengthText = '512', checkpointing] = process.argv.slice(2);
const length = Number(lengthText);
const say = (line: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let stepStarted = 0;

const turns = definePlugin({
  name: 'lmflow-plugin-bench-turns',
  version: '0.0.0',
  sdk: '^1.0.0',
  options: { section: 'benchTurns', schema: z.object({}) },
  apply({ hooks }) {
    hooks.onStepStart.tap(async (step) => {
      if (step.number === 1) {
        say({
          ready: true,
          load_seconds: (performance.now() - started) / 1000,
          trainable: [...step.model.parameters.values()].reduce(
            (sum, { data }) => sum + data.length,
            0,
          ),
        });
      }
      const line = await lines.next();
      if (line.done || (JSON.parse(line.value) as { command: string }).command === 'exit') {
        process.exit(0);
      }
      stepStarted = performance.now();
    });
    hooks.onStep.tap((step) => {
      say({
        seconds: (performance.now() - stepStarted) / 1000,
        loss: step.loss,
        peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
      });
    });
  },
});

const kernel = await createKernel({
  presets: [{ lora, qlora, int8: lora }[method] ?? finetune],
  plugins: [turns, method === 'int8' && int8Compute({ selfCheck: false })],
  model,
  outputDir: mkdtempSync(join(tmpdir(), 'lmflow-bench-')),
  perDeviceTrainBatchSize: 1,
  ...(checkpointing === undefined ? {} : { gradientCheckpointing: true }),
  maxSteps: 1000,
  saveStrategy: 'no',
  evalStrategy: 'no',
  loggingSteps: 1000,
});
const loaded = await kernel
  .resolve(MODELS)
  .load({ role: 'policy', purpose: 'training', source: model });
await kernel.resolve(TRAINER).fit({
  model: loaded,
  train: randomTokens(loaded.architecture.vocabularySize),
  objective: kernel.resolve(LANGUAGE_MODELING),
});

/** Sequences of random tokens, every one labelled. */
function randomTokens(vocabulary: number): Samples {
  const make = (index: number): Sample => {
    const random = randomStream(0, 'tokens', index);
    const inputIds = Int32Array.from({ length }, (_, place) => random.bits(place) % vocabulary);
    return { inputIds, labels: inputIds };
  };
  const samples = 1000;
  return {
    length: samples,
    fingerprint: 'bench',
    get: make,
    lengthOf: () => length,
    statistics: {
      samples,
      tokens: samples * length,
      trainedTokens: samples * (length - 1),
      truncated: 0,
      dropped: 0,
    },
  };
}
