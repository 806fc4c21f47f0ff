// `lmflow merge`: an adapter added into its base's weights, written as a model of its own, and how
// far the two are apart.
import {
  MODELS,
  MODEL_WRITER,
  ENGINE,
  type CommandInvocation,
  type Config,
  type Logger,
  type Resolve,
} from '@lmflow/sdk';
import { writeFolder } from '@lmflow/sdk/files';
import { view, type Model } from '@lmflow/sdk/model';
import { z } from 'zod';
import { driftRows, measureDrift, type Drift } from './drift.ts';
import { adapterMissing, settingMissing } from './errors.ts';
import { parseSize } from './size.ts';

export const mergeOptions = z.object({
  maxShardSize: z
    .string()
    .default('5GB')
    .describe('Largest safetensors file; a larger model is split (200MB, 5GB, 1GiB, or bytes).'),
  prompt: z
    .array(z.string())
    .default([])
    .describe(
      'Texts to compare base + adapter with the merged model on (repeatable); random tokens where there are none.',
    ),
});

export interface MergeResult {
  readonly outputDir: string;
  readonly files: readonly string[];
  readonly drift: Drift;
}

export interface Services {
  readonly resolve: Resolve;
  readonly log: Logger;
}

/** The model that the configuration names, with its adapter. */
export async function configuredModel(
  command: string,
  resolve: Resolve,
  config: Config,
  signal: AbortSignal,
): Promise<Model> {
  if (config.model === undefined) {
    throw settingMissing(command, 'model', '--model meta-llama/Llama-3.2-1B');
  }
  return resolve(MODELS).load({
    role: 'policy',
    purpose: 'inference',
    source: config.model,
    signal,
  });
}

/** The configured output folder. */
export function configuredOutput(command: string, config: Config): string {
  if (config.outputDir === undefined) {
    throw settingMissing(command, 'outputDir', '--output-dir merged');
  }
  return config.outputDir;
}

/** Merges in float32, writes, reads the result back and compares logits. */
export async function merge(
  { resolve, log }: Services,
  { config, options, signal }: CommandInvocation<z.output<typeof mergeOptions>>,
): Promise<MergeResult> {
  const { maxShardSize, prompt } = options;
  const outputDir = configuredOutput('merge', config);
  const shardBytes = parseSize(maxShardSize);
  const model = await configuredModel('merge', resolve, config, signal);
  if (!model.adapter) throw adapterMissing('merge');
  const files = await writeFolder(outputDir, (directory) =>
    resolve(MODEL_WRITER).write(withSignal(model, signal), directory, {
      mergeAdapter: true,
      shardBytes,
    }),
  );
  // As a reference, so that adapters leave it alone.
  const merged = await resolve(MODELS).load({
    role: 'reference',
    purpose: 'inference',
    source: outputDir,
    signal,
  });
  const drift = await measureDrift(
    resolve(ENGINE),
    model,
    merged,
    driftRows(model, prompt, config.seed ?? 42),
    signal,
  );
  log.event(
    'merge',
    { outputDir, files, drift },
    `merged into ${outputDir}: ${files.length} files. Logits differ from base + adapter by at most ${drift.largest.toExponential(1)} ` +
      `(mean ${drift.mean.toExponential(1)}; logits up to ${drift.largestLogit.toFixed(1)}), the likeliest token is the same at ${(100 * drift.sameToken).toFixed(1)} % of ${drift.tokens} positions`,
  );
  if ([...model.weights.values()].some(({ kind }) => kind === 'packed')) {
    log.info(
      'the base is quantized: the merged model has the numbers that its codes stand for, and does not round activations as the base may',
    );
  } else if (!(drift.largest <= 1e-3 * Math.max(1, drift.largestLogit))) {
    log.warn(
      'the merged model is further from base + adapter than rounding explains: check it before you use it',
    );
  }
  return { outputDir, files, drift };
}

/** The model, which stops being read once the signal is aborted. */
export function withSignal(model: Model, signal: AbortSignal): Model {
  return view(model, {
    read: (name) => {
      signal.throwIfAborted();
      return model.read(name);
    },
  });
}
