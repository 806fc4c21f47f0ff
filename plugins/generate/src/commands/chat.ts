// `lmflow chat`: a conversation in the terminal. Its turns are kept in conversation.ts.
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { templateName } from '@lmflow/plugin-chat-templates';
import {
  GENERATOR,
  MODELS,
  MODEL_SOURCES,
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
import { modelWithAdapter } from '../adapter-view.ts';
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
    adapter: z.string().optional().describe('The adapter of lora.adapters to begin with.'),
    settings: requestSettings,
  });

/** A chat's model, options, input and output. */
export interface ChatSetup {
  readonly generator: TextGenerator;
  readonly model: Model;
  readonly contextLength: number;
  readonly options: GenerationOptions;
  /** What each request sets for plugins. */
  readonly settings?: RequestSettings | undefined;
  readonly system: string | undefined;
  /** Name of the adapter to begin with. */
  readonly adapter?: string | undefined;
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const HELP = [
  '/reset forgets the conversation',
  '/system TEXT sets the system message',
  '/save FILE writes the conversation to a file',
  '/adapter NAME answers with another of lora.adapters (without a name: with none)',
  '/exit ends the chat',
].join(', ');

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
      'lmflow chat --preset inference --model org/model --lora-adapter out',
      'lmflow chat --preset inference --model org/model --lora-adapters poet=out/poet,chef=out/chef --adapter poet',
    ],
    async run({ config, options: flagValues, signal, output }: CommandInvocation) {
      const source = config.model ?? defaultModel(context);
      const { system, adapter, settings, ...options } = flagValues as z.output<typeof flags>;
      const model = await context
        .resolve(MODELS)
        .load({ role: 'policy', purpose: 'inference', source, signal });
      const generator = context.resolve(GENERATOR);
      await checkTemplate(generator, { model, ...(adapter === undefined ? {} : { adapter }) });
      context.log.info(
        `model: ${model.source}, chat template: ${templateName(modelWithAdapter(model, adapter).tokenizer)}\n${HELP}`,
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

// The model that a plugin brings for those who name none.
function defaultModel(context: Pick<PluginContext, 'rows' | 'log'>): string {
  const row = context.rows(MODEL_SOURCES).get('default');
  if (row === undefined) throw modelMissing('chat');
  context.log.info(
    `no model is named: this is the default model, ${row.summary}; --model names another`,
  );
  return row.name;
}

// Fails at once for a model without a usable chat template. A template that refuses this message
// may accept others.
async function checkTemplate(
  generator: TextGenerator,
  answerer: { readonly model: Model; readonly adapter?: string },
): Promise<void> {
  try {
    await generator.encodePrompt({ ...answerer, prompt: [{ role: 'user', content: 'Hello' }] });
  } catch (error) {
    if (isLMFlowError(error) && error.code !== 'LMFLOW_TEMPLATE_FAILED') throw error;
  }
}

/** Reads lines and answers them, until the input ends, /exit or the signal. */
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
      if (text.startsWith('/')) runSlashCommand(text, conversation, setup);
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
  conversation.add('user', question);
  const answerer = {
    model,
    ...(conversation.adapter === undefined ? {} : { adapter: conversation.adapter }),
  };
  try {
    const reserve = Math.min(options.maxNewTokens ?? 256, Math.floor(contextLength / 4));
    const dropped = await conversation.shorten(async (messages) => {
      const ids = await generator.encodePrompt({ ...answerer, prompt: messages });
      return ids.length + reserve <= contextLength;
    });
    if (dropped > 0) {
      log.warn(
        `the conversation exceeds the context of ${contextLength} tokens: the oldest ${dropped} messages are left out`,
      );
    }
    const started = performance.now();
    let [first, count, text] = [0, 0, ''];
    for await (const piece of generator.streamInference({
      ...answerer,
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
      const tokensPerSecond = (count - 1) / seconds;
      const firstToken = (first - started) / 1000;
      log.event(
        'chat',
        {
          text,
          tokens: count,
          tokensPerSecond,
          firstToken,
        },
        `[${count} tokens, ${tokensPerSecond.toFixed(1)} tokens/s, first token after ${firstToken.toFixed(2)} s]`,
      );
    }
    conversation.add('assistant', text);
  } catch (error) {
    if (!isLMFlowError(error)) throw error;
    conversation.removeLast();
    log.error([error.message, error.hint].filter(Boolean).join(' '));
  }
}

function runSlashCommand(
  line: string,
  conversation: Conversation,
  { model, log }: ChatSetup,
): void {
  const [command = '', ...words] = line.split(/\s+/);
  const rest = words.join(' ');
  switch (command) {
    case '/reset':
      conversation.reset();
      log.info('the conversation is empty');
      break;
    case '/system':
      conversation.system = rest === '' ? undefined : rest;
      log.info(rest === '' ? 'the system message is removed' : 'the system message is set');
      break;
    case '/adapter':
      selectAdapter(rest, conversation, model, log);
      break;
    case '/save':
      save(rest, conversation, log);
      break;
    default:
      log.info(command === '/help' ? HELP : `there is no command ${command}. Commands: ${HELP}`);
  }
}

function selectAdapter(name: string, conversation: Conversation, model: Model, log: Logger): void {
  const known = [...(model.adapters?.keys() ?? [])];
  if (name !== '' && !known.includes(name)) {
    const names =
      known.length > 0 ? `its adapters: ${known.join(', ')}` : 'lora.adapters names none';
    return log.error(`the model has no adapter "${name}"; ${names}`);
  }
  conversation.adapter = name === '' ? undefined : name;
  log.info(name === '' ? 'the model answers without adapter' : `the adapter ${name} answers`);
}

function save(file: string, { messages }: Conversation, log: Logger): void {
  if (file === '') return log.error('/save needs the name of a file');
  try {
    writeFileSync(file, `${JSON.stringify({ messages }, undefined, 2)}\n`);
    log.info(`the conversation is saved in ${file}`);
  } catch (error) {
    log.error(messageOf(error));
  }
}
