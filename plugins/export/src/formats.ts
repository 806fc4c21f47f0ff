// The formats of `lmflow export`: the type of a row of EXPORTS, and the four rows of this plugin.
// How GGUF and ONNX are written is in gguf/ and onnx/.
import { writeFile } from 'node:fs/promises';
import { basename, join, resolve as resolvePath } from 'node:path';
import { MODEL_WRITER, registry, token, type Logger, type Resolve, type Token } from '@lmflow/sdk';
import { writeFolder } from '@lmflow/sdk/files';
import { withoutAdapter, type Model } from '@lmflow/sdk/model';
import { writeSafetensors } from '@lmflow/sdk/formats';
import type { PortableModelMaker, PortableSessionOpener } from '@lmflow/plugin-engine-onnx';
import { parseSize, sizeText } from './byte-sizes.ts';
import { adapterMissing } from './errors.ts';
import { exportGguf } from './gguf/export.ts';
import { QUANTIZATIONS, type Quantization } from './gguf/quantization.ts';
import { withSignal } from './merge.ts';
import { exportOnnx } from './onnx/export.ts';
import { ONNX_QUANTIZATIONS, type OnnxQuantization } from './onnx/exported-weights.ts';
import { checkWritten } from './written-tensors.ts';

/** A service of engine-onnx. The token is written out here, since the other formats need no engine. */
export const PORTABLE_MODEL: Token<PortableModelMaker> = token(
  '@lmflow/plugin-engine-onnx:portable-model',
  '@lmflow/plugin-engine-onnx',
);

/** Another one: opens the file that was written. */
const PORTABLE_SESSION: Token<PortableSessionOpener> = token(
  '@lmflow/plugin-engine-onnx:portable-session',
  '@lmflow/plugin-engine-onnx',
);

/** Flags of `lmflow export` that only some formats have. */
export interface FormatFlags {
  /** Longest context of the model, in tokens. */
  readonly contextLength?: number | undefined;
  /** Largest file, such as `5GB`. */
  readonly maxShardSize?: string | undefined;
}

/** One call of `ExportFormat.write`. */
export interface ExportTask {
  /** With its adapter, if it has one. */
  readonly model: Model;
  readonly outputDir: string;
  /** Only the flags of the format. */
  readonly flags: FormatFlags;
  /** Types of weights, one file each; empty where the format has no choice. */
  readonly quantizations: readonly string[];
  readonly resolve: Resolve;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A format of `lmflow export`. */
export interface ExportFormat {
  /** The value of `--format`. */
  readonly name: string;
  /** What it writes, for messages. */
  readonly description: string;
  /** Values of `--quantization` and its default; absent where there is no choice. */
  readonly quantizations?: { readonly known: readonly string[]; readonly usual: string };
  /** Flags of the format; others are refused. */
  readonly flags?: readonly (keyof FormatFlags)[];
  /** True where the adapter is written alone; otherwise the format merges it. */
  readonly adapterAlone?: boolean;
  /** Writes into outputDir, which is new or empty; resolves to the names of the files. */
  write(task: ExportTask): Promise<readonly string[]>;
}

/** Formats of `lmflow export`. */
export const EXPORTS = registry<ExportFormat>(
  '@lmflow/plugin-export:formats',
  'export format',
  '@lmflow/plugin-export',
);

const safetensors: ExportFormat = {
  name: 'safetensors',
  description: 'a Hugging Face folder, float32',
  flags: ['maxShardSize'],
  write: ({ model, outputDir, flags, resolve, signal }) => {
    const shardBytes = parseSize(flags.maxShardSize ?? '5GB');
    return writeFolder(outputDir, async (directory) => {
      const files = await resolve(MODEL_WRITER).write(withSignal(model, signal), directory, {
        mergeAdapter: true,
        shardBytes,
      });
      await checkWritten(model, directory, files);
      return files;
    });
  },
};

const peft: ExportFormat = {
  name: 'peft',
  description: 'the adapter alone',
  adapterAlone: true,
  write: async ({ model, outputDir }) => {
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
};

const gguf: ExportFormat = {
  name: 'gguf',
  description: 'one file for llama.cpp',
  quantizations: { known: QUANTIZATIONS, usual: 'f16' },
  write: async ({ model, outputDir, quantizations, log, signal }) => {
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
};

const onnx: ExportFormat = {
  name: 'onnx',
  description: 'a folder for transformers.js',
  quantizations: { known: Object.keys(ONNX_QUANTIZATIONS), usual: 'f32' },
  flags: ['contextLength'],
  write: async ({ model, outputDir, flags, quantizations, resolve, signal }) => {
    // What the adapter adds goes into the weights.
    const base = withoutAdapter(model);
    return writeFolder(outputDir, (directory) =>
      exportOnnx({
        model,
        base,
        portableModel: resolve(PORTABLE_MODEL),
        openSession: resolve(PORTABLE_SESSION),
        directory,
        quantizations: quantizations as readonly OnnxQuantization[],
        contextLength: flags.contextLength,
        signal,
      }),
    );
  },
};

/** The formats that this plugin contributes. */
export const formats: readonly ExportFormat[] = [safetensors, peft, gguf, onnx];
