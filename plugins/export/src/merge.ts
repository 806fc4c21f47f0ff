// `lmflow merge`: adds an adapter into its base's weights, writes the result as a model, and
// measures how much the logits of both differ.
import {
  MODELS,
  MODEL_WRITER,
  SCORER,
  type CommandInvocation,
  type Config,
  type Logger,
  type Resolve,
} from '@lmflow/sdk';
import { writeFolder } from '@lmflow/sdk/files';
import { view, type Model } from '@lmflow/sdk/model';
import { z } from 'zod';
import { parseSize } from './byte-sizes.ts';
import { adapterMissing, settingMissing } from './errors.ts';
import { comparedRows, measureDifference, type LogitDifference } from './logit-difference.ts';

export const mergeOptions = z.object({
  maxShardSize: z
    .string()
    .default('5GB')
    .describe('Largest safetensors file; a larger model is split (200MB, 5GB, 1GiB, or bytes).'),
  prompt: z
    .array(z.string())
    .default([])
    .describe(
      'Text to compare base + adapter with the merged model on (repeatable); default: random tokens.',
    ),
});

export interface MergeResult {
  readonly outputDir: string;
  readonly files: readonly string[];
  /** Of base + adapter and the merged model. */
  readonly logitDifference: LogitDifference;
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

/** Merges in float32, writes the model, loads it again and compares logits. */
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
  // As a reference, so that no adapter is added.
  const merged = await resolve(MODELS).load({
    role: 'reference',
    purpose: 'inference',
    source: outputDir,
    signal,
  });
  const logitDifference = await measureDifference(
    resolve(SCORER),
    model,
    merged,
    comparedRows(model, prompt, config.seed ?? 42),
    signal,
  );
  const { largest, mean, largestLogit, sameToken, tokens } = logitDifference;
  log.event(
    'merge',
    { outputDir, files, logitDifference },
    `merged into ${outputDir}: ${files.length} files. ` +
      `Logits differ from base + adapter by at most ${largest.toExponential(1)} ` +
      `(mean ${mean.toExponential(1)}; logits up to ${largestLogit.toFixed(1)}), ` +
      `the likeliest token is the same at ${(100 * sameToken).toFixed(1)} % of ${tokens} positions`,
  );
  if ([...model.weights.values()].some(({ kind }) => kind === 'packed')) {
    log.info(
      'the base is quantized; the merged model has its dequantized weights and does not round activations',
    );
  } else if (!(largest <= 1e-3 * Math.max(1, largestLogit))) {
    log.warn(
      'the logits of the merged model differ from base + adapter by more than rounding; check the model first',
    );
  }
  return { outputDir, files, logitDifference };
}

/** The model; reading a weight throws once the signal is aborted. */
export function withSignal(model: Model, signal: AbortSignal): Model {
  return view(model, {
    read: (name) => {
      signal.throwIfAborted();
      return model.read(name);
    },
  });
}
