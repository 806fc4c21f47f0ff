// `lmflow quantize`: makes the quantized weights that generate, chat and serve then find in the cache, and reports what they cost in perplexity.
import { readFile } from 'node:fs/promises';
import { ENGINE, MODELS, type CommandInvocation, type CommandSpec, type Config, type Model, type PluginContext } from '@lmflow/sdk';
import { z } from 'zod';
import { settingMissing, textUnusable } from './errors.ts';
import type { QuantizeOptions } from './options.ts';
import { perplexityOf, windowsOf } from './perplexity.ts';
import type { Switch } from './wrap.ts';

export interface QuantizeResult {
  readonly bits: number;
  readonly matrices: number;
  /** Of these matrices: in the checkpoint's numbers, and quantized. */
  readonly bytes: { readonly before: number; readonly after: number };
  /** Of the float and of the quantized model on the same windows; absent without a text. `tokens` were predicted. */
  readonly perplexity?: { readonly before: number; readonly after: number; readonly tokens: number };
}

declare module '@lmflow/sdk' {
  interface CommandResults { quantize: QuantizeResult }
}

const flags = z.object({
  text: z.string().optional().describe('Text file that perplexity is measured on; by default the files that dataset names, read as plain text.'),
  maxTokens: z.int().min(2).optional().describe("Tokens of the text's beginning to measure on; by default all."),
  contextLength: z.int().min(1).optional().describe("Tokens of a window; by default 512, and at most the model's positions."),
});

const size = (bytes: number): string => `${(bytes / 2 ** 20).toPrecision(3)} MiB`;

/** The command; `switchOf` gives what turns a loaded model's quantized products off. */
export function quantizeCommand(context: PluginContext<QuantizeOptions>, switchOf: (model: Model) => Switch): CommandSpec {
  return {
    name: 'quantize',
    summary: 'Quantizes a model into the cache that generate, chat and serve use, and reports its perplexity before and after.',
    options: flags,
    sections: ['model', 'dataset', 'quantize', 'lora'],
    examples: ['lmflow quantize --model org/model --quantize-bits 4 --text book.txt', 'lmflow quantize --model org/model --lora-adapter out --quantize-bits 8 --text book.txt --max-tokens 20000'],
    async run({ config, options, signal }: CommandInvocation) {
      const { text, maxTokens, contextLength = 512 } = options as z.output<typeof flags>;
      const { bits } = context.options;
      if (config.model === undefined) throw settingMissing('model', '--model org/model');
      if (bits === undefined) throw settingMissing('quantize.bits', '--quantize-bits 4');
      const words = await readTexts(text === undefined ? datasetFiles(config) : [text]);
      const model = await context.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source: config.model, signal });
      const way = switchOf(model);
      const sizes: QuantizeResult = { bits, matrices: way.matrices, bytes: way.bytes };
      const summary = `${model.source}: ${way.matrices} matrices, ${size(way.bytes.before)} in the checkpoint, ${size(way.bytes.after)} quantized`;
      if (words === undefined) {
        context.log.event('quantize', { ...sizes }, summary);
        context.log.info('no perplexity is reported: name a text with --text FILE, best one like what the model is for');
        return { result: sizes };
      }
      const ids = model.tokenizer.encode(words, { addSpecialTokens: true }).ids.slice(0, maxTokens);
      const windows = windowsOf(Int32Array.from(ids), Math.min(contextLength, model.architecture.maxPositions));
      if (windows.length === 0) throw textUnusable(text ?? 'dataset', 'has fewer than two tokens');
      const measure = async (float: boolean): Promise<number> => {
        way.float = float;
        const name = float ? 'float' : `${bits} bits`;
        return perplexityOf(context.resolve(ENGINE), model, windows, signal, (done) => { context.log.progress(`perplexity, ${name}  ${done}/${windows.length}`); });
      };
      const perplexity = { before: await measure(true), after: await measure(false), tokens: ids.length - 1 };
      const result: QuantizeResult = { ...sizes, perplexity };
      context.log.event('quantize', { ...result }, `${summary}. Perplexity of ${perplexity.tokens} tokens: ${perplexity.before.toPrecision(5)} in float, ${perplexity.after.toPrecision(5)} quantized `
        + `(${(100 * (perplexity.after / perplexity.before - 1)).toFixed(2)} %)`);
      return { result };
    },
  };
}

/** Paths in `dataset`. Throws LMFLOW_QUANTIZE_TEXT where it says more than a path. */
function datasetFiles({ dataset = [] }: Config): readonly string[] {
  return [dataset].flat().map((one) => {
    if (typeof one !== 'string') throw textUnusable('dataset', 'is more than the path of a file');
    return one;
  });
}

async function readTexts(files: readonly string[]): Promise<string | undefined> {
  if (files.length === 0) return undefined;
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch((cause: unknown) => { throw textUnusable(file, 'cannot be read', cause); })));
  return texts.join('\n').replace(/^\uFEFF/, '');
}
