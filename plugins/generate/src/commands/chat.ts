// `lmflow chat`: a conversation in the terminal.
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { templateName } from '@lmflow/plugin-chat-templates';
import {
  GENERATOR,
  MODELS,
  isLMFlowError,
  messageOf,
  type CommandInvocation,
  type CommandSpec,
  type GenerationOptions,
  type Logger,
  type PluginContext,
  type RequestSettings,
  type TextGenerator,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { z } from 'zod';
import { adapted } from '../adapted.ts';
import { modelMissing } from '../errors.ts';
import {
  aliases,
  forTraining,
  generationOptions,
  requestSettings,
  unsupported,
} from '../options.ts';
import { Conversation } from './conversation.ts';

const flags = generationOptions
  .omit({
    truncation: true,
    numBeams: true,
    numReturnSequences: true,
    lengthPenalty: true,
    earlyStopping: true,
  })
  .extend({
    system: z.string().optional().describe('The system message.'),
    adapter: z.string().optional().describe('Name of one of lora.adapters to begin with.'),
    settings: requestSettings,
  });

/** What a chat needs of the world. */
export interface ChatSetup {
  readonly generator: TextGenerator;
  readonly model: Model;
  readonly contextLength: number;
  readonly options: GenerationOptions;
  /** What plugins take with each request. */
  readonly settings?: RequestSettings | undefined;
  readonly system: string | undefined;
  /** Name of the adapter to begin with. */
  readonly adapter?: string | undefined;
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const HELP =
  '/reset forgets the conversation, /system TEXT sets the system message, /save FILE writes the conversation, /adapter NAME answers with another of lora.adapters (without a name: with none), /exit ends';

/** The command. */
export function chatCommand(
  context: PluginContext<{ readonly contextLength?: number | undefined }>,
): CommandSpec {
  return {
    name: 'chat',
    summary: 'Talks with a model in the terminal.',
    options: flags,
    aliases,
    unsupported: {
      ...unsupported,
      ...forTraining,
      numBeams: 'beam search cannot be streamed',
      numReturnSequences: 'a chat has one answer',
    },
    sections: ['model', 'generate', 'lora'],
    examples: [
      'lmflow chat --preset inference --model org/model --lora-adapter out',
      'lmflow chat --preset inference --model org/model --lora-adapters poet=out/poet,chef=out/chef --adapter poet',
    ],
    async run({ config, options: own, signal, output }: CommandInvocation) {
      if (config.model === undefined) throw modelMissing('chat');
      const { system, adapter, settings, ...options } = own as z.output<typeof flags>;
      const model = await context
        .resolve(MODELS)
        .load({ role: 'policy', purpose: 'inference', source: config.model, signal });
      const generator = context.resolve(GENERATOR);
      checkTemplate(generator, { model, ...(adapter === undefined ? {} : { adapter }) });
      context.log.info(
        `${model.source}, chat template: ${templateName(adapted(model, adapter).tokenizer)}\n${HELP}`,
      );
      await runChat({
        model,
        system,
        adapter,
        signal,
        log: context.log,
        generator,
        input: process.stdin,
        output,
        contextLength: context.options.contextLength ?? model.architecture.maxPositions,
        options,
        settings,
      });
      return undefined;
    },
  };
}

// A model that no chat can be written for is told at once; a template may well refuse this one
// message, which says nothing yet.
function checkTemplate(
  generator: TextGenerator,
  asked: { readonly model: Model; readonly adapter?: string },
): void {
  try {
    generator.encodePrompt({ ...asked, prompt: [{ role: 'user', content: 'Hello' }] });
  } catch (error) {
    if (isLMFlowError(error) && error.code !== 'LMFLOW_TEMPLATE_FAILED') throw error;
  }
}

/** Reads lines and answers them until the input ends, /exit, or the signal. */
export async function runChat(setup: ChatSetup): Promise<void> {
  const { input, output, signal } = setup;
  const conversation = new Conversation(setup.system, setup.adapter);
  const lines = createInterface({
    input,
    ...(input.isTTY ? { output, terminal: true } : {}),
    prompt: '> ',
  });
  let answering: AbortController | undefined;
  const stop = (): void => {
    lines.close();
    answering?.abort();
  };
  // On a terminal Ctrl-C stops the answer, and between answers the chat.
  lines.on('SIGINT', () => {
    if (answering) answering.abort();
    else stop();
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (input.isTTY) lines.prompt();
    for await (const line of lines) {
      const text = line.trim();
      if (text === '/exit' || text === '/quit') break;
      if (text.startsWith('/')) obey(text, conversation, setup);
      else if (text !== '') {
        answering = new AbortController();
        await answer(setup, conversation, text, answering.signal);
        answering = undefined;
      }
      if (signal.aborted) break;
      if (input.isTTY) lines.prompt();
    }
  } finally {
    signal.removeEventListener('abort', stop);
    lines.close();
  }
}

async function answer(
  setup: ChatSetup,
  conversation: Conversation,
  question: string,
  signal: AbortSignal,
): Promise<void> {
  const { generator, model, options, settings, output, log, contextLength } = setup;
  conversation.say('user', question);
  const asked = {
    model,
    ...(conversation.adapter === undefined ? {} : { adapter: conversation.adapter }),
  };
  try {
    const reserve = Math.min(options.maxNewTokens ?? 256, Math.floor(contextLength / 4));
    const dropped = conversation.shorten(
      (messages) =>
        generator.encodePrompt({ ...asked, prompt: messages }).length + reserve <= contextLength,
    );
    if (dropped > 0) {
      log.warn(
        `the conversation does not fit into the context of ${contextLength} tokens: the oldest ${dropped} messages are left out`,
      );
    }
    const started = performance.now();
    let [first, count, text] = [0, 0, ''];
    for await (const piece of generator.streamInference({
      ...asked,
      prompt: conversation.messages,
      options,
      ...(settings === undefined ? {} : { settings }),
      signal,
    })) {
      if (count === 0) first = performance.now();
      count += piece.tokens.length;
      text += piece.text;
      output.write(piece.text);
    }
    output.write('\n');
    const seconds = (performance.now() - first) / 1000;
    if (count > 1) {
      log.event(
        'chat',
        {
          text,
          tokens: count,
          tokensPerSecond: (count - 1) / seconds,
          firstToken: (first - started) / 1000,
        },
        `[${count} tokens, ${((count - 1) / seconds).toFixed(1)} tokens/s, the first after ${((first - started) / 1000).toFixed(2)} s]`,
      );
    }
    conversation.say('assistant', text);
  } catch (error) {
    if (!isLMFlowError(error)) throw error;
    conversation.unsay();
    log.error([error.message, error.hint].filter(Boolean).join(' '));
  }
}

function obey(line: string, conversation: Conversation, { model, log }: ChatSetup): void {
  const [command = '', ...words] = line.split(/\s+/);
  const rest = words.join(' ');
  switch (command) {
    case '/reset':
      conversation.reset();
      log.info('the conversation is forgotten');
      break;
    case '/system':
      conversation.system = rest === '' ? undefined : rest;
      log.info(rest === '' ? 'no system message' : 'the system message is set');
      break;
    case '/adapter':
      pick(rest, conversation, model, log);
      break;
    case '/save':
      save(rest, conversation, log);
      break;
    default:
      log.info(command === '/help' ? HELP : `there is no command ${command}; ${HELP}`);
  }
}

function pick(name: string, conversation: Conversation, model: Model, log: Logger): void {
  const known = [...(model.adapters?.keys() ?? [])];
  if (name !== '' && !known.includes(name)) {
    return log.error(
      `there is no adapter "${name}"; ${known.length > 0 ? `there are ${known.join(', ')}` : 'none is loaded (lora.adapters)'}`,
    );
  }
  conversation.adapter = name === '' ? undefined : name;
  log.info(name === '' ? 'no adapter' : `answers come from ${name}`);
}

function save(file: string, { messages }: Conversation, log: Logger): void {
  if (file === '') return log.error('/save needs a file');
  try {
    writeFileSync(file, `${JSON.stringify({ messages }, undefined, 2)}\n`);
    log.info(`the conversation is in ${file}`);
  } catch (error) {
    log.error(messageOf(error));
  }
}
