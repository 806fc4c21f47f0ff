// `lmflow export`: checks its flags, loads the model that the configuration names, and writes it in
// a format. The formats are in formats.ts.
import type { CommandInvocation, Logger, Resolve, Rows } from '@lmflow/sdk';
import { checkComplete } from '@lmflow/plugin-models';
import { z } from 'zod';
import { flagOfOtherFormat, formatUnknown, quantizationOfOtherFormat } from './errors.ts';
import { EXPORTS, formats, type ExportFormat, type FormatFlags } from './formats.ts';
import { configuredModel, configuredOutput } from './merge.ts';

const quantizationsOf = (name: string): string => {
  const { known, usual } = formats.find((format) => format.name === name)!.quantizations!;
  return `${known.join(', ')}; default ${usual}`;
};

const described = ({ name, description }: ExportFormat): string => `${name} (${description})`;

export const exportOptions = z.object({
  format: z
    .string()
    .default('safetensors')
    .describe(`What to write: ${formats.map(described).join(', ')}; plugins may add others.`)
    .meta({ table: EXPORTS.name }),
  quantization: z
    .union([z.string(), z.array(z.string()).nonempty()])
    .optional()
    .describe(
      `Type of the weights in GGUF (${quantizationsOf('gguf')}) or ONNX (${quantizationsOf('onnx')}); ` +
        'several give one file each.',
    ),
  contextLength: z
    .int()
    .min(1)
    .optional()
    .describe("Longest context of an ONNX model, in tokens; default: the checkpoint's."),
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

/** The services that the command uses. */
export interface ExportSetup {
  readonly resolve: Resolve;
  readonly log: Logger;
  readonly formats: Rows<ExportFormat>;
}

/** Loads the model and writes it; throws LMFLOW_EXPORT_* for flags that do not fit the format. */
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
  checkComplete(model);
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
  const adapter = adapterAlone ? ' (the adapter alone)' : ' (with its adapter merged)';
  const written = files.length === 1 ? files[0]! : `${files.length} files`;
  log.event(
    'export',
    { outputDir, files, format: name },
    `${model.source}${model.adapter ? adapter : ''} is in ${outputDir} as ${name}: ${written}`,
  );
  return { outputDir, files, format: name };
}

/** One per file to write; throws LMFLOW_EXPORT_FLAG for one that the format does not have. */
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
  const foreign = chosen.find((item) => !quantizations.known.includes(item));
  if (foreign !== undefined) throw quantizationOfOtherFormat(foreign, name, quantizations.known);
  return chosen;
}

/** Throws LMFLOW_EXPORT_FLAG for a flag that the format does not have. */
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
