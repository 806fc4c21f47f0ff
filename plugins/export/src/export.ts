// `lmflow export`: the model that the configuration names, in another format. An adapter is merged,
// or (peft) written alone.
import { writeFile } from 'node:fs/promises';
import { basename, join, resolve as resolvePath } from 'node:path';
import {
  MODELS,
  MODEL_WRITER,
  token,
  type CommandInvocation,
  type Logger,
  type Resolve,
  type Token,
} from '@lmflow/sdk';
import { writeFolder } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import { writeSafetensors } from '@lmflow/sdk/formats';
import type { PortableModelMaker } from '@lmflow/plugin-engine-onnx';
import { z } from 'zod';
import {
  adapterMissing,
  flagOfOtherFormat,
  formatUnknown,
  quantizationOfOtherFormat,
} from './errors.ts';
import { exportGguf } from './gguf/export.ts';
import { QUANTIZATIONS, type Quantization } from './gguf/quantization.ts';
import { configuredModel, configuredOutput, withSignal, type Services } from './merge.ts';
import { exportOnnx } from './onnx/export.ts';
import { ONNX_NUMBERS, type OnnxNumbers } from './onnx/numbers.ts';
import { parseSize, sizeText } from './size.ts';

/** A service of engine-onnx, by its name: the other formats need no such engine. */
export const PORTABLE_MODEL: Token<PortableModelMaker> = token(
  '@lmflow/plugin-engine-onnx:portable-model',
  '@lmflow/plugin-engine-onnx',
);

const isGguf = (name: string): name is Quantization =>
  (QUANTIZATIONS as readonly string[]).includes(name);

const quantization = z.enum([
  ...QUANTIZATIONS,
  ...Object.keys(ONNX_NUMBERS).filter((name) => !isGguf(name)),
]);

export const exportOptions = z.object({
  format: z
    .string()
    .default('safetensors')
    .describe(
      'What to write: safetensors (a Hugging Face folder, float32), peft (the adapter alone), gguf (one file for llama.cpp), onnx (a folder for transformers.js).',
    ),
  quantization: z
    .union([quantization, z.array(quantization).nonempty()])
    .optional()
    .describe(
      `Numbers of a GGUF file (${QUANTIZATIONS.join(', ')}; default f16) or an ONNX model (${Object.keys(ONNX_NUMBERS).join(', ')}; default f32); several give a file each.`,
    ),
  contextLength: z
    .int()
    .min(1)
    .optional()
    .describe("Positions that an ONNX model can be given; by default the checkpoint's."),
  maxShardSize: z
    .string()
    .optional()
    .describe('Largest safetensors file; a larger model is split (default 5GB).'),
});

export interface ExportResult {
  readonly outputDir: string;
  readonly files: readonly string[];
  readonly format: string;
}

interface Job {
  readonly model: Model;
  readonly outputDir: string;
  readonly options: z.output<typeof exportOptions>;
  /** What a file's numbers are, a file each; none where the format has no choice. */
  readonly quantizations: readonly string[];
  readonly resolve: Resolve;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Formats by name: what writes them and gives the names of the files. */
const FORMATS: Readonly<Record<string, (job: Job) => Promise<readonly string[]>>> = {
  safetensors: ({ model, outputDir, options, resolve, signal }) => {
    const shardBytes = parseSize(options.maxShardSize ?? '5GB');
    return writeFolder(outputDir, (directory) =>
      resolve(MODEL_WRITER).write(withSignal(model, signal), directory, {
        mergeAdapter: true,
        shardBytes,
      }),
    );
  },

  peft: async ({ model, outputDir }) => {
    if (!model.adapter) throw adapterMissing('export --format peft');
    const { config, tensors } = model.adapter.save();
    return writeFolder(outputDir, async (directory) => {
      await writeSafetensors(join(directory, 'adapter_model.safetensors'), tensors, {
        format: 'pt',
      });
      await writeFile(
        join(directory, 'adapter_config.json'),
        `${JSON.stringify(config, undefined, 2)}\n`,
      );
      return ['adapter_model.safetensors', 'adapter_config.json'];
    });
  },

  gguf: async ({ model, outputDir, quantizations, log, signal }) => {
    const name = basename(resolvePath(model.source));
    const files: string[] = [];
    for (const quantization of quantizations as readonly Quantization[]) {
      const file = `${name}-${quantization.toUpperCase()}.gguf`;
      const bytes = await exportGguf(model, {
        path: join(outputDir, file),
        name,
        quantization,
        log,
        signal,
      });
      log.info(`${join(outputDir, file)}: ${sizeText(bytes)}`);
      files.push(file);
    }
    return files;
  },

  onnx: async ({ model, outputDir, options, quantizations, resolve, signal }) => {
    // As a reference, so that adapters leave it alone: what they add is added to the weights.
    const base = model.adapter
      ? await resolve(MODELS).load({
          role: 'reference',
          purpose: 'inference',
          source: model.source,
          signal,
        })
      : model;
    return writeFolder(outputDir, (directory) =>
      exportOnnx({
        model,
        base,
        portableModel: resolve(PORTABLE_MODEL),
        directory,
        numbers: quantizations as readonly OnnxNumbers[],
        contextLength: options.contextLength,
        signal,
      }),
    );
  },
};

/** What numbers can be in each format, and are where nothing is said. */
const NUMBERS: Readonly<
  Record<string, { readonly known: readonly string[]; readonly usual: string }>
> = {
  gguf: { known: QUANTIZATIONS, usual: 'f16' },
  onnx: { known: Object.keys(ONNX_NUMBERS), usual: 'f32' },
};

/** Loads and writes. */
export async function exportModel(
  { resolve, log }: Services,
  { config, options, signal }: CommandInvocation<z.output<typeof exportOptions>>,
): Promise<ExportResult> {
  const { format } = options;
  const write = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (!write) throw formatUnknown(format, Object.keys(FORMATS));
  const numbers = Object.hasOwn(NUMBERS, format) ? NUMBERS[format] : undefined;
  if (options.quantization !== undefined && !numbers) {
    throw flagOfOtherFormat('quantization', format, Object.keys(NUMBERS).join(' or '));
  }
  const quantizations = [...new Set([options.quantization ?? numbers?.usual ?? []].flat())];
  const foreign = quantizations.find((name) => !numbers!.known.includes(name));
  if (foreign !== undefined) throw quantizationOfOtherFormat(foreign, format, numbers!.known);
  if (options.contextLength !== undefined && format !== 'onnx') {
    throw flagOfOtherFormat('context-length', format, 'onnx');
  }
  if (options.maxShardSize !== undefined && format !== 'safetensors') {
    throw flagOfOtherFormat('max-shard-size', format, 'safetensors');
  }
  const outputDir = configuredOutput('export', config);
  const model = await configuredModel('export', resolve, config, signal);
  const files = await write({
    model,
    outputDir,
    options,
    quantizations,
    resolve,
    log,
    signal,
  });
  const adapter = !model.adapter
    ? ''
    : format === 'peft'
      ? ' (the adapter alone)'
      : ' (with its adapter merged)';
  log.event(
    'export',
    { outputDir, files, format },
    `${model.source}${adapter} is in ${outputDir} as ${format}: ${files.length === 1 ? files[0]! : `${files.length} files`}`,
  );
  return { outputDir, files, format };
}
