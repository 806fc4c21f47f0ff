// `lmflow generate`: reads prompts, writes text or lines of JSON. Prompts are collected in prompts.ts.
import { closeSync, constants, openSync, statSync, writeFileSync } from 'node:fs';
import { templateName } from '@lmflow/plugin-chat-templates';
import {
  GENERATOR,
  MODELS,
  type CommandInvocation,
  type CommandOutcome,
  type CommandSpec,
  type PluginContext,
  type TextGenerator,
  type TextRequest,
  type TextResult,
} from '@lmflow/sdk';
import { outputUnwritable } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import { z } from 'zod';
import { modelWithAdapter } from '../adapter-view.ts';
import { modelMissing, optionConflict } from '../errors.ts';
import {
  aliases,
  forTraining,
  generationOptions,
  requestSettings,
  unsupported,
} from '../options.ts';
import { collectPrompts, type Prompt } from './prompts.ts';

declare module '@lmflow/sdk' {
  interface CommandResults {
    generate: readonly (readonly TextResult[])[];
  }
}

const flags = generationOptions.omit({ truncation: true }).extend({
  prompts: z
    .string()
    .optional()
    .describe(
      'File of prompts: one per line, or .jsonl or .json with texts, {"prompt"} or {"messages"}.',
    ),
  chat: z
    .boolean()
    .default(false)
    .describe('Send each prompt as a message of a user, with the chat template.'),
  system: z.string().optional().describe('With --chat: the system message.'),
  adapter: z.string().optional().describe('The adapter of lora.adapters to answer with.'),
  format: z
    .enum(['text', 'jsonl'])
    .default('text')
    .describe('Plain text, or a line of JSON for each answer.'),
  output: z.string().optional().describe('File to write to, in place of the terminal.'),
  logprobs: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('With jsonl: log-probability of each token and of this many likeliest ones.'),
  stream: z
    .boolean()
    .optional()
    .describe('Show text as it comes; by default for one prompt on a terminal.'),
  settings: requestSettings,
});

type Flags = z.output<typeof flags>;

/** Where text goes. */
interface Sink {
  write(text: string): void;
  end(): void;
}

/** The command. */
export function generateCommand(context: PluginContext): CommandSpec {
  return {
    name: 'generate',
    summary: 'Continues prompts, or answers them with --chat.',
    usage: '[prompt...]',
    options: flags,
    aliases,
    unsupported: { ...unsupported, ...forTraining },
    pipes: true,
    sections: [
      'model',
      'lora.adapter',
      'quantize.bits',
      'chatTemplate',
      'device',
      'seed',
      'generate',
      'lora',
    ],
    examples: [
      'lmflow generate --preset inference --model org/model "Once upon a time" --max-new-tokens 100 --temperature 0.8',
      'lmflow generate --preset inference --model org/model --chat --prompts in.txt --format jsonl --output out.jsonl',
      'lmflow generate --preset inference --model org/model --lora-adapters poet=out/poet --adapter poet "The sea"',
    ],
    run: (invocation: CommandInvocation) => generate(context, invocation),
  };
}

async function generate(
  context: PluginContext,
  { config, signal, positionals, options, output: stdout }: CommandInvocation,
): Promise<CommandOutcome<readonly (readonly TextResult[])[]>> {
  const flags = options as Flags;
  if (config.model === undefined) throw modelMissing('generate');
  const { chat, adapter, format, output, logprobs } = flags;
  checkFlags(flags);
  const prompts = await collectPrompts({ positionals, file: flags.prompts, input: process.stdin });
  const streamable = isStreamable(flags, prompts);
  const model = await context
    .resolve(MODELS)
    .load({ role: 'policy', purpose: 'inference', source: config.model, signal });
  if (chat || prompts.some((prompt) => typeof prompt !== 'string')) {
    context.log.debug(`chat template: ${templateName(modelWithAdapter(model, adapter).tokenizer)}`);
  }
  const requests = requestsOf(flags, prompts, { model, signal, seed: config.seed ?? 42 });
  const generator = context.resolve(GENERATOR);
  const streamed = streamable && (flags.stream ?? (output === undefined && stdout.isTTY === true));
  const sink = openSink(output, stdout);
  try {
    const results = streamed
      ? [await streamOne(generator, requests[0]!, sink)]
      : await answerAll({ generator, requests, prompts, format, sink, logprobs });
    for (const [index, list] of results.entries()) {
      context.log.event('generation', {
        prompt: prompts[index],
        results: list.map((result) => answerRecord(result, logprobs)),
      });
    }
    return { result: results, exitCode: signal.aborted ? 130 : 0 };
  } finally {
    sink.end();
  }
}

/** Throws LMFLOW_GENERATE_OPTION_INVALID where flags contradict each other. */
function checkFlags({ system, chat, logprobs, format }: Flags): void {
  if (system !== undefined && !chat) {
    throw optionConflict(
      '--system is set without --chat, and only a chat has a system message',
      'Add --chat, or leave --system out.',
    );
  }
  if (logprobs !== undefined && format !== 'jsonl') {
    throw optionConflict(
      `--logprobs is set with --format ${format}, which has no place for them`,
      'Add --format jsonl, or leave --logprobs out.',
    );
  }
}

/** Whether there is one answer, which can be streamed; throws where --stream asks for more. */
function isStreamable(flags: Flags, prompts: readonly Prompt[]): boolean {
  const { format, numBeams = 1, numReturnSequences = 1, stream } = flags;
  const single =
    prompts.length === 1 && format === 'text' && numBeams === 1 && numReturnSequences === 1;
  if (stream === true && !single) {
    throw optionConflict(
      '--stream is set, but only one answer to one prompt can be streamed, as text and without beams',
      'Leave --stream out.',
    );
  }
  return single;
}

function requestsOf(
  {
    prompts: _file,
    chat,
    system,
    adapter,
    format: _format,
    output: _output,
    stream: _stream,
    settings,
    ...options
  }: Flags,
  prompts: readonly Prompt[],
  { model, signal, seed }: { readonly model: Model; signal: AbortSignal; seed: number },
): TextRequest[] {
  return prompts.map((prompt) => ({
    model,
    signal,
    prompt: chat ? chatPrompt(prompt, system) : prompt,
    options: { seed, ...options },
    ...(adapter === undefined ? {} : { adapter }),
    ...(settings === undefined ? {} : { settings }),
  }));
}

function chatPrompt(prompt: Prompt, system: string | undefined): Prompt {
  if (typeof prompt !== 'string') return prompt;
  return [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: prompt },
  ];
}

async function streamOne(
  generator: TextGenerator,
  request: TextRequest,
  sink: Sink,
): Promise<readonly TextResult[]> {
  const result = {
    text: '',
    tokens: [] as TextResult['tokens'][number][],
    finishReason: 'length' as TextResult['finishReason'],
  };
  for await (const { text, tokens, finishReason } of generator.streamInference(request)) {
    sink.write(text);
    result.text += text;
    result.tokens.push(...tokens);
    if (finishReason) result.finishReason = finishReason;
  }
  sink.write('\n');
  return [
    {
      ...result,
      ids: Int32Array.from(result.tokens, ({ id }) => id),
      promptTokens: (await generator.encodePrompt(request)).length,
    },
  ];
}

interface AnswerJob {
  readonly generator: TextGenerator;
  readonly requests: readonly TextRequest[];
  readonly prompts: readonly Prompt[];
  readonly format: 'text' | 'jsonl';
  readonly sink: Sink;
  readonly logprobs: number | undefined;
}

/** Answers all prompts together; writes the answers in the order of the prompts. */
async function answerAll({
  generator,
  requests,
  prompts,
  format,
  sink,
  logprobs,
}: AnswerJob): Promise<readonly (readonly TextResult[])[]> {
  const running = requests.map((request) => generator.inference(request));
  for (const answers of running) answers.catch(() => undefined);
  const results: (readonly TextResult[])[] = [];
  for (const [index, answers] of running.entries()) {
    const list = await answers;
    results.push(list);
    for (const result of list) {
      sink.write(
        format === 'text'
          ? `${result.text}\n`
          : `${JSON.stringify(jsonLine(prompts[index]!, result, logprobs))}\n`,
      );
    }
  }
  return results;
}

function jsonLine(
  prompt: Prompt,
  result: TextResult,
  logprobs: number | undefined,
): Record<string, unknown> {
  return {
    ...(typeof prompt === 'string' ? { prompt } : { messages: prompt }),
    ...answerRecord(result, logprobs),
  };
}

function answerRecord(
  { text, finishReason, promptTokens, ids, score, tokens }: TextResult,
  logprobs: number | undefined,
): Record<string, unknown> {
  return {
    text,
    finishReason,
    promptTokens,
    newTokens: ids.length,
    ...(score === undefined ? {} : { score }),
    ...(logprobs === undefined ? {} : { tokens }),
  };
}

// Opening a named pipe waits for its reader, and no signal ends that: without one it is an error.
function openToWrite(file: string): number {
  if (statSync(file, { throwIfNoEntry: false })?.isFIFO() !== true) return openSync(file, 'w');
  const asked = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    return openSync(file, 'w');
  } finally {
    closeSync(asked);
  }
}

// Opened before anything is computed, so that a file that cannot be written to fails at once.
function openSink(file: string | undefined, stdout: NodeJS.WritableStream): Sink {
  if (file === undefined) {
    return {
      write: (text) => {
        stdout.write(text);
      },
      end: () => undefined,
    };
  }
  const descriptor = withWriteErrors(file, () => openToWrite(file));
  return {
    write: (text) => {
      withWriteErrors(file, () => {
        writeFileSync(descriptor, text);
      });
    },
    end: () => {
      closeSync(descriptor);
    },
  };
}

function withWriteErrors<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw outputUnwritable(`--output ${file}`, cause);
  }
}
