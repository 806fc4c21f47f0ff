// `lmflow generate`: prompts in, text or lines of JSON out.
import { closeSync, openSync, writeFileSync } from 'node:fs';
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
import { adapted } from '../adapted.ts';
import { modelMissing, optionInvalid } from '../errors.ts';
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
      'File of prompts: one a line, or .jsonl/.json with texts, {"prompt"} or {"messages"}.',
    ),
  chat: z
    .boolean()
    .default(false)
    .describe('Prompts are messages of a user, written with the chat template.'),
  system: z.string().optional().describe('With --chat: the system message.'),
  adapter: z.string().optional().describe('Name of one of lora.adapters to answer with.'),
  format: z
    .enum(['text', 'jsonl'])
    .default('text')
    .describe('Plain text, or a line of JSON for each prompt.'),
  output: z.string().optional().describe('File to write to, in place of the terminal.'),
  logprobs: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('With jsonl: log-probability of each token and of so many of the likeliest.'),
  stream: z
    .boolean()
    .optional()
    .describe('Show text as it comes; by default where one prompt is answered on a terminal.'),
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
    sections: ['model', 'generate', 'lora'],
    examples: [
      'lmflow generate --preset inference --model org/model "Once upon a time" --max-new-tokens 100 --temperature 0.8',
      'lmflow generate --preset inference --model org/model --lora-adapter out --chat --prompts questions.txt --format jsonl --output answers.jsonl',
      'lmflow generate --preset inference --model org/model --lora-adapters poet=out/poet,chef=out/chef --adapter poet "The sea"',
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
  const single = isSingle(flags, prompts);
  const model = await context
    .resolve(MODELS)
    .load({ role: 'policy', purpose: 'inference', source: config.model, signal });
  if (chat || prompts.some((prompt) => typeof prompt !== 'string')) {
    context.log.debug(`chat template: ${templateName(adapted(model, adapter).tokenizer)}`);
  }
  const requests = requestsOf(flags, prompts, { model, signal, seed: config.seed ?? 42 });
  const generator = context.resolve(GENERATOR);
  const streamed = single && (flags.stream ?? (output === undefined && stdout.isTTY === true));
  const sink = openSink(output, stdout);
  try {
    const results = streamed
      ? [await streamOne(generator, requests[0]!, sink)]
      : await answerAll({ generator, requests, prompts, format, sink, logprobs });
    for (const [index, list] of results.entries()) {
      context.log.event('generation', {
        prompt: prompts[index],
        results: list.map((result) => said(result, logprobs)),
      });
    }
    return { result: results, exitCode: signal.aborted ? 130 : 0 };
  } finally {
    sink.end();
  }
}

/** Throws LMFLOW_GENERATE_OPTION_INVALID for flags that do not go together. */
function checkFlags({ system, chat, logprobs, format }: Flags): void {
  if (system !== undefined && !chat) {
    throw optionInvalid(
      'system',
      system,
      'is for --chat: prompts are continued as they are otherwise',
    );
  }
  if (logprobs !== undefined && format !== 'jsonl') {
    throw optionInvalid('logprobs', logprobs, 'is for --format jsonl');
  }
}

/** Whether there is one answer, which can be shown as it comes; throws where it is asked for else. */
function isSingle(flags: Flags, prompts: readonly Prompt[]): boolean {
  const { format, numBeams = 1, numReturnSequences = 1, stream } = flags;
  const single =
    prompts.length === 1 && format === 'text' && numBeams === 1 && numReturnSequences === 1;
  if (stream === true && !single) {
    throw optionInvalid(
      'stream',
      true,
      'one answer to one prompt can be shown as it comes, as text and without beams',
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
    prompt: asked(prompt, chat, system),
    options: { seed, ...options },
    ...(adapter === undefined ? {} : { adapter }),
    ...(settings === undefined ? {} : { settings }),
  }));
}

function asked(prompt: Prompt, chat: boolean, system: string | undefined): Prompt {
  if (typeof prompt !== 'string' || !chat) return prompt;
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
      promptTokens: generator.encodePrompt(request).length,
    },
  ];
}

interface Work {
  readonly generator: TextGenerator;
  readonly requests: readonly TextRequest[];
  readonly prompts: readonly Prompt[];
  readonly format: 'text' | 'jsonl';
  readonly sink: Sink;
  readonly logprobs: number | undefined;
}

/** All prompts together; answers are written in order, each as soon as those before it are. */
async function answerAll({
  generator,
  requests,
  prompts,
  format,
  sink,
  logprobs,
}: Work): Promise<readonly (readonly TextResult[])[]> {
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
          : `${JSON.stringify(line(prompts[index]!, result, logprobs))}\n`,
      );
    }
  }
  return results;
}

function line(
  prompt: Prompt,
  result: TextResult,
  logprobs: number | undefined,
): Record<string, unknown> {
  return {
    ...(typeof prompt === 'string' ? { prompt } : { messages: prompt }),
    ...said(result, logprobs),
  };
}

function said(
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

// Opened before anything is computed: a place that cannot be written to is told at once.
function openSink(file: string | undefined, stdout: NodeJS.WritableStream): Sink {
  if (file === undefined) {
    return {
      write: (text) => {
        stdout.write(text);
      },
      end: () => undefined,
    };
  }
  const descriptor = attempt(file, () => openSync(file, 'w'));
  return {
    write: (text) => {
      attempt(file, () => {
        writeFileSync(descriptor, text);
      });
    },
    end: () => {
      closeSync(descriptor);
    },
  };
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw outputUnwritable(`--output ${file}`, cause);
  }
}
