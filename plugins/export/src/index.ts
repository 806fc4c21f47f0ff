// Models for others: adapters merged into their base, delta weights, and exports as safetensors,
// PEFT, GGUF and ONNX. Three commands, no hooks.
import { definePlugin, LOWERINGS } from '@lmflow/sdk';
import { delta, deltaOptions, type DeltaResult } from './delta.ts';
import { exportModel, exportOptions, type ExportResult } from './export.ts';
import { EXPORTS, formats } from './formats.ts';
import { merge, mergeOptions, type MergeResult } from './merge.ts';
import { onnxLowerings } from './onnx/lowerings.ts';
import manifest from '../package.json' with { type: 'json' };

export type { DeltaResult } from './delta.ts';
export type { ExportResult } from './export.ts';
export { EXPORTS, type ExportFormat, type ExportTask, type FormatFlags } from './formats.ts';
export type { LogitDifference } from './logit-difference.ts';
export type { MergeResult } from './merge.ts';

declare module '@lmflow/sdk' {
  interface CommandResults {
    merge: MergeResult;
    delta: DeltaResult;
    export: ExportResult;
  }
}

export default definePlugin({
  name: '@lmflow/plugin-export',
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  apply(context) {
    for (const format of formats) context.contribute(EXPORTS, format);
    for (const row of onnxLowerings) context.contribute(LOWERINGS, row);
    context.command({
      name: 'merge',
      summary:
        'Adds an adapter into its base model, writes the result, and compares the logits of both.',
      options: mergeOptions,
      sections: ['model', 'lora.adapter', 'outputDir', 'lora'],
      examples: [
        'lmflow merge --preset lora --plugin export --model meta-llama/Llama-3.2-1B ' +
          '--lora-adapter out --output-dir merged',
      ],
      run: async (invocation) => ({ result: await merge(context, invocation) }),
    });
    context.command({
      name: 'delta',
      summary: 'Makes delta weights (tuned - base), or applies them (base + delta).',
      usage: 'make <base> <tuned> | apply <base> <delta>',
      options: deltaOptions,
      sections: ['outputDir'],
      examples: [
        'lmflow delta make meta-llama/Llama-3.2-1B tuned --output-dir delta',
        'lmflow delta apply meta-llama/Llama-3.2-1B delta --output-dir tuned',
      ],
      run: async (invocation) => ({ result: await delta(context, invocation) }),
    });
    context.command({
      name: 'export',
      summary: 'Writes the model as safetensors, PEFT adapter, GGUF file or ONNX folder.',
      options: exportOptions,
      sections: ['model', 'lora.adapter', 'outputDir', 'lora'],
      examples: [
        'lmflow export --model merged --format gguf --quantization q4_k_m --output-dir gguf',
        'lmflow export --model merged --format onnx --output-dir onnx',
      ],
      run: async (invocation) => ({
        result: await exportModel(
          { resolve: context.resolve, log: context.log, formats: context.rows(EXPORTS) },
          invocation,
        ),
      }),
    });
  },
});
