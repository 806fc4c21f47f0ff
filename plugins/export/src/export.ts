// `lmflow export`: the model that the configuration names, in another format. What the formats are
// and write is in formats.ts.
import type { CommandInvocation, Logger, Resolve, Rows } from '@lmflow/sdk';
import { z } from 'zod';
import { flagOfOtherFormat, formatUnknown, quantizationOfOtherFormat } from './errors.ts';
import { formats, type ExportFormat, type FormatFlags } from './formats.ts';
import { configuredModel, configuredOutput } from './merge.ts';

const numbersOf = (name: string): string => {
  const { known, usual } = formats.find((format) => format.name === name)!.quantizations!;
  return `${known.join(', ')}; default ${usual}`;
};

export const exportOptions = z.object({
  format: z
    .string()
    .default('safetensors')
    .describe(
      `What to write: ${formats.map(({ name, description }) => `${name} (${description})`).join(', ')}; plugins may add others.`,
    ),
  quantization: z
    .union([z.string(), z.array(z.string()).nonempty()])
    .optional()
    .describe(
      `Numbers of a GGUF file (${numbersOf('gguf')}) or an ONNX model (${numbersOf('onnx')}); several give a file each.`,
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

/** What `lmflow export` wrote. */
export interface ExportResult {
  readonly outputDir: string;
  readonly files: readonly string[];
  readonly format: string;
}

type Flags = z.output<typeof exportOptions>;

/** What the command needs of the kernel. */
export interface ExportSetup {
  readonly resolve: Resolve;
  readonly log: Logger;
  readonly formats: Rows<ExportFormat>;
}

/** Loads and writes. */
export async function exportModel(
  { resolve, log, formats: rows }: ExportSetup,
  { config, options, signal }: CommandInvocation<Flags>,
): Promise<ExportResult> {
  const format = rows.get(options.format);
  if (!format) throw formatUnknown(options.format, rows.names());
  const quantizations = chosenQuantizations(rows, format, options);
  checkFlag(rows, format, options, 'contextLength', 'context-length');
  checkFlag(rows, format, options, 'maxShardSize', 'max-shard-size');
  const outputDir = configuredOutput('export', config);
  const model = await configuredModel('export', resolve, config, signal);
  const { contextLength, maxShardSize } = options;
  const flags = { contextLength, maxShardSize };
  const files = await format.write({
    model,
    outputDir,
    flags,
    quantizations,
    resolve,
    log,
    signal,
  });
  const { name, adapterAlone = false } = format;
  const its = adapterAlone ? ' (the adapter alone)' : ' (with its adapter merged)';
  log.event(
    'export',
    { outputDir, files, format: name },
    `${model.source}${model.adapter ? its : ''} is in ${outputDir} as ${name}: ${files.length === 1 ? files[0]! : `${files.length} files`}`,
  );
  return { outputDir, files, format: name };
}

/** What numbers the files have; throws LMFLOW_EXPORT_FLAG for those that the format does not have. */
function chosenQuantizations(
  rows: Rows<ExportFormat>,
  { name, quantizations }: ExportFormat,
  { quantization }: Flags,
): readonly string[] {
  if (!quantizations) {
    if (quantization === undefined) return [];
    throw flagOfOtherFormat(
      'quantization',
      name,
      owners(rows, (row) => !!row.quantizations),
    );
  }
  const chosen = [...new Set([quantization ?? quantizations.usual].flat())];
  const foreign = chosen.find((numbers) => !quantizations.known.includes(numbers));
  if (foreign !== undefined) throw quantizationOfOtherFormat(foreign, name, quantizations.known);
  return chosen;
}

/** Throws LMFLOW_EXPORT_FLAG where a flag is given that the format does not have. */
function checkFlag(
  rows: Rows<ExportFormat>,
  { name, flags = [] }: ExportFormat,
  options: Flags,
  key: keyof FormatFlags,
  flag: string,
): void {
  if (options[key] === undefined || flags.includes(key)) return;
  throw flagOfOtherFormat(
    flag,
    name,
    owners(rows, (row) => row.flags?.includes(key) ?? false),
  );
}

function owners(rows: Rows<ExportFormat>, has: (row: ExportFormat) => boolean): string {
  return [...rows]
    .filter(has)
    .map(({ name }) => name)
    .join(' or ');
}
