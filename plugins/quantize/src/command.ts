// `lmflow quantize`: writes a quantized model's folder, or makes the weights that generate, chat
// and serve then find in the cache, and reports what they cost in perplexity.
import {
  SAMPLES,
  SCORER,
  messageOf,
  type CommandInvocation,
  type CommandOutcome,
  type CommandSpec,
  type PluginContext,
  type ScoreRow,
} from '@lmflow/sdk';
import { readWhole, writeFolder } from '@lmflow/sdk/files';
import type { Model, ReplacedLinears } from '@lmflow/sdk/model';
import { MODEL_FAMILIES } from '@lmflow/plugin-models';
import { z } from 'zod';
import type { Bits } from './blocks.ts';
import { alreadyQuantized, nothingToQuantize, settingMissing, textUnusable } from './errors.ts';
import { writeQuantized } from './folder.ts';
import { bytesOf, chosenMatrices, type Matrix } from './matrices.ts';
import { bits as bitsSchema, type QuantizeOptions } from './options.ts';
import { perplexityOf, predicted, rowsOf, windowsOf } from './perplexity.ts';

export interface QuantizeResult {
  readonly bits: number;
  readonly matrices: number;
  /** Of these matrices: in the checkpoint's numbers, and quantized. */
  readonly bytes: { readonly before: number; readonly after: number };
  /** Where a folder was written. */
  readonly outputDir?: string;
  readonly files?: readonly string[];
  /**
   * Of the float and of the quantized model on the same rows; absent without a text or data.
   * `tokens` were predicted.
   */
  readonly perplexity?: {
    readonly before: number;
    readonly after: number;
    readonly tokens: number;
  };
}

declare module '@lmflow/sdk' {
  interface CommandResults {
    quantize: QuantizeResult;
  }
}

const flags = z.object({
  bits: bitsSchema.optional().describe('Bits of a weight, 4 or 8; by default quantize.bits.'),
  text: z
    .string()
    .optional()
    .describe(
      'Text file to measure perplexity on; default: the evaluation samples of dataset, else all.',
    ),
  maxTokens: z
    .int()
    .min(2)
    .optional()
    .describe('Measure on so many of the first tokens; by default on all.'),
  contextLength: z
    .int()
    .min(1)
    .optional()
    .describe(
      "Tokens of a window of --text; by default 512, and at most the model's positions. Samples have blockSize.",
    ),
});
type Flags = z.output<typeof flags>;

/** What the command needs of the plugin's tap. */
export interface Loading {
  /** Loads the configured model, quantized to `bits` from the cache, or in float. */
  load(source: string, bits: Bits | false, signal: AbortSignal): Promise<Model>;
  /** What of a loaded model is quantized; undefined where nothing is. */
  quantized(model: Model): ReplacedLinears<Matrix> | undefined;
}

interface Task {
  readonly source: string;
  readonly bits: Bits;
  readonly rows: (model: Model) => Promise<readonly ScoreRow[] | undefined>;
  readonly measure: (model: Model, rows: readonly ScoreRow[], name: string) => Promise<number>;
  readonly signal: AbortSignal;
}

const size = (bytes: number): string => `${(bytes / 2 ** 20).toPrecision(3)} MiB`;

export function quantizeCommand(
  context: PluginContext<QuantizeOptions>,
  loading: Loading,
): CommandSpec {
  return {
    name: 'quantize',
    summary:
      'Quantizes a model into a folder (outputDir) or into the cache, and reports its perplexity before and after.',
    options: flags,
    sections: [
      'model',
      'outputDir',
      'dataset',
      'quantize.bits',
      'quantize.groupSize',
      'quantize.headBits',
      'quantize.exclude',
      'lora.adapter',
      'quantize',
      'lora',
    ],
    examples: [
      'lmflow quantize --model org/model --bits 4 --output-dir model-4bit --text book.txt',
      'lmflow quantize --model out --bits 8 --dataset questions.json',
      'lmflow quantize --model org/model --lora-adapter out --bits 8 --text book.txt --max-tokens 20000',
    ],
    run: (invocation: CommandInvocation) => new QuantizeRun(context, loading).run(invocation),
  };
}

/** One run of the command. */
class QuantizeRun {
  readonly #context: PluginContext<QuantizeOptions>;
  readonly #loading: Loading;

  constructor(context: PluginContext<QuantizeOptions>, loading: Loading) {
    this.#context = context;
    this.#loading = loading;
  }

  async run({
    config,
    options,
    signal,
  }: CommandInvocation): Promise<CommandOutcome<QuantizeResult>> {
    const context = this.#context;
    const { text, contextLength } = options as Flags;
    const bits = (options as Flags).bits ?? context.options.bits;
    if (config.model === undefined) throw settingMissing('model', '--model org/model');
    if (bits === undefined) throw settingMissing('quantize.bits', '--bits 4');
    if (text === undefined && contextLength !== undefined) {
      throw textUnusable('--context-length', 'is for --text: samples of dataset have blockSize');
    }
    const words = text === undefined ? undefined : await readText(text);
    const rows = (model: Model): Promise<readonly ScoreRow[] | undefined> =>
      this.#rowsFor(model, words, options);
    // A session of its own for each: between them, what the model computes is switched.
    const measure: Task['measure'] = async (model, some, name) => {
      const session = context.resolve(SCORER).open(model);
      try {
        return await perplexityOf(session, some, signal, (done) => {
          context.log.progress(`perplexity, ${name}  ${done}/${some.length}`);
        });
      } finally {
        await session.dispose();
      }
    };
    const { model: source, outputDir } = config;
    const task = { source, bits, rows, measure, signal };
    const result = await (outputDir === undefined
      ? this.#intoCache(task)
      : this.#intoFolder(task, outputDir));
    this.#report(result, source);
    return { result };
  }

  async #intoCache({
    source,
    bits,
    rows: rowsOfModel,
    measure,
    signal,
  }: Task): Promise<QuantizeResult> {
    const model = await this.#loading.load(source, bits, signal);
    const quantized = this.#loading.quantized(model);
    if (!quantized) throw alreadyQuantized(model.source);
    const rows = await rowsOfModel(model);
    const matrices = [...quantized.linears.values()];
    const groups = new Set(matrices.map(({ group }) => group));
    const result: QuantizeResult = {
      bits,
      matrices: matrices.length,
      bytes: {
        before: bytesOf(matrices.map(({ layer }) => model.weights.get(layer.weight)!)),
        after: bytesOf([...groups].flatMap(({ parts }) => parts)),
      },
    };
    if (!rows) return result;
    quantized.claim.active = false;
    const before = await measure(model, rows, 'float');
    quantized.claim.active = true;
    return {
      ...result,
      perplexity: {
        before,
        after: await measure(model, rows, `${bits} bits`),
        tokens: predicted(rows),
      },
    };
  }

  async #intoFolder(
    { source, bits, rows: rowsOfModel, measure, signal }: Task,
    outputDir: string,
  ): Promise<QuantizeResult> {
    const context = this.#context;
    const loading = this.#loading;
    const model = await loading.load(source, false, signal);
    if ([...model.weights.values()].some(({ kind }) => kind === 'packed')) {
      throw alreadyQuantized(model.source);
    }
    const { matrices, head } = this.#matricesFor(model, bits);
    // Before samples are loaded, which may give the tokenizer a chat template that is not the
    // model's.
    const tokenizer = await model.tokenizer.files();
    const headName = context.rows(MODEL_FAMILIES).get(model.architecture.family)!.names.head;
    const rows = await rowsOfModel(model);
    const files = await writeFolder(outputDir, (directory) =>
      writeQuantized(
        {
          model,
          matrices,
          head,
          headName,
          tokenizer,
          signal,
          done: (count) => {
            context.log.progress(`quantizing  ${count}/${matrices.length}`);
          },
        },
        directory,
      ),
    );
    if (model.adapter) {
      context.log.info(
        `${outputDir} does not contain the adapter; name its folder with it as with the model`,
      );
    }
    const written = await loading.load(outputDir, false, signal);
    const packed = [...written.weights.values()].filter(({ kind }) => kind === 'packed');
    const result: QuantizeResult = {
      bits,
      matrices: matrices.length,
      bytes: {
        before: bytesOf(matrices.map(({ weight }) => model.weights.get(weight)!)),
        after: bytesOf(packed),
      },
      outputDir,
      files,
    };
    if (!rows) return result;
    return {
      ...result,
      perplexity: {
        before: await measure(model, rows, 'float'),
        after: await measure(written, rows, `${bits} bits`),
        tokens: predicted(rows),
      },
    };
  }

  /** What the folder's format can hold; a warning names the rest. */
  #matricesFor(model: Model, bits: Bits): ReturnType<typeof chosenMatrices> {
    const chosen = chosenMatrices(model, bits, this.#context.options);
    const matrices = chosen.matrices.filter(
      ({ inFeatures, scheme }) => inFeatures % scheme.blockSize === 0,
    );
    const left = chosen.matrices.filter((matrix) => !matrices.includes(matrix));
    if (matrices.length === 0) {
      throw nothingToQuantize(
        model.source,
        distinct(left, ({ scheme }) => scheme.blockSize),
      );
    }
    if (left.length > 0) {
      const names = distinct(left, ({ name }) => name.split('.').at(-1)!);
      this.#context.log.warn(
        `${left.length} matrices stay in floating point (${names.join(', ')}): ` +
          `blocks of ${distinct(left, ({ scheme }) => scheme.blockSize).join(' and ')} do not divide their ` +
          `${distinct(left, ({ inFeatures }) => inFeatures).join(' and ')} columns`,
      );
    }
    return { ...chosen, matrices };
  }

  /** Of the text, or of the samples that the configuration names. */
  async #rowsFor(
    model: Model,
    words: string | undefined,
    { text, maxTokens, contextLength = 512 }: Flags,
  ): Promise<readonly ScoreRow[] | undefined> {
    const { maxPositions } = model.architecture;
    if (words !== undefined) {
      const ids = model.tokenizer.encode(words, { addSpecialTokens: true }).ids.slice(0, maxTokens);
      const rows = windowsOf(Int32Array.from(ids), Math.min(contextLength, maxPositions));
      if (rows.length === 0) throw textUnusable(text!, 'has fewer than two tokens');
      return rows;
    }
    if (this.#context.config.dataset === undefined) return undefined;
    const { train, evaluation } = await this.#context
      .resolve(SAMPLES)
      .load({ tokenizer: model.tokenizer, maxPositions });
    return rowsOf(evaluation ?? train, maxTokens);
  }

  #report(result: QuantizeResult, source: string): void {
    const { matrices, bytes, outputDir, perplexity } = result;
    const { log } = this.#context;
    const place = outputDir === undefined ? source : `${source} is in ${outputDir}`;
    const sizes = `${size(bytes.before)} in the checkpoint, ${size(bytes.after)} quantized`;
    const summary = `${place}: ${matrices} matrices, ${sizes}`;
    if (!perplexity) {
      log.event('quantize', { ...result }, summary);
      log.info('no perplexity is measured; name a text with --text FILE, or data with --dataset');
      return;
    }
    const { tokens, before, after } = perplexity;
    const change = (100 * (after / before - 1)).toFixed(2);
    const figures = `${before.toPrecision(5)} in float, ${after.toPrecision(5)} quantized (${change} %)`;
    log.event('quantize', { ...result }, `${summary}. Perplexity of ${tokens} tokens: ${figures}`);
  }
}

function distinct<T, V>(items: readonly T[], of: (item: T) => V): V[] {
  return [...new Set(items.map(of))];
}

/** The largest text for a perplexity, in bytes. */
const LARGEST_TEXT = 2 ** 28;

async function readText(file: string): Promise<string> {
  const text = await readWhole(file, LARGEST_TEXT).catch((cause: unknown) => {
    throw textUnusable(file, `cannot be read: ${messageOf(cause)}`, cause);
  });
  return text.replace(/^\uFEFF/, '');
}
