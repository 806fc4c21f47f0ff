// Runs the jobs of the HTTP thread on the main thread, where model and engine are.
import { toolCallFormat } from '@lmflow/plugin-chat-templates';
import {
  isLMFlowError,
  messageOf,
  textOf,
  type GenerationOptions,
  type Logger,
  type RequestSetting,
  type TextGenerator,
  type ToolCallFormat,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import type { Job, JobEvent, PieceEvent } from './thread-messages.ts';
import type { ServeOptions } from './options.ts';
import { refusedIssue } from './plugin-routes.ts';
import { scored } from './token-scores.ts';
import { ToolCallSplitter } from './tool-calls.ts';

export interface JobRunner {
  readonly generator: TextGenerator;
  readonly models: ReadonlyMap<string, Model>;
  readonly toolCallFormats: Iterable<ToolCallFormat>;
  readonly options: Pick<ServeOptions, 'maxPromptTokens' | 'maxTokens'>;
  /** Settings for plugins that requests may have, by name. */
  readonly requestSettings: ReadonlyMap<string, RequestSetting>;
  readonly log: Logger;
}

/** Runs one job, telling what becomes of it; never rejects. */
export async function runJob(
  runner: JobRunner,
  job: Job,
  signal: AbortSignal,
  report: (event: JobEvent) => void,
): Promise<void> {
  const { generator, log } = runner;
  const model = runner.models.get(job.model)!;
  try {
    const prompt = farTooLong(runner, model, job.prompt) ?? encode(generator, model, job);
    if (!(prompt instanceof Int32Array)) return report(prompt);
    const limited = withinLimits(runner, model, prompt.length, job.options);
    if ('kind' in limited) return report(limited);
    const refused = wrongSetting(runner, job);
    if (refused) return report(refused);
    const options = { ...openAIDefaults(generator.defaults(model).options), ...limited };
    report({ kind: 'started', promptTokens: prompt.length });
    const splitter = splitterOf(runner, model, job);
    const last = new Map<number, number>();
    for await (const { index, text, tokens, finishReason } of generator.streamInference({
      model,
      prompt,
      options,
      ...(job.settings ? { settings: job.settings } : {}),
      signal,
    })) {
      const scores =
        options.logprobs === undefined
          ? undefined
          : scored(model.tokenizer, tokens, last.get(index) ?? prompt.at(-1));
      if (tokens.length > 0) last.set(index, tokens.at(-1)!.id);
      const piece: PieceEvent = {
        kind: 'piece',
        index,
        text,
        tokens: tokens.length,
        ...(scores ? { scores } : {}),
        ...(finishReason ? { finishReason } : {}),
      };
      report(splitter ? splitter.split(piece) : piece);
      // lets messages (an abort) in, however the generator waits
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      if (signal.aborted) break;
    }
    report({ kind: 'done' });
  } catch (error) {
    if (signal.aborted) return report({ kind: 'done' });
    log.error(`a generation failed: ${messageOf(error)}`);
    if (error instanceof Error && error.stack !== undefined) log.debug(error.stack);
    report({
      kind: 'failed',
      message: isLMFlowError(error)
        ? `the generation failed (${error.code})`
        : 'the generation failed',
    });
  }
}

/** Why a field for a plugin is refused; the generator checks it again and completes it. */
function wrongSetting(
  { requestSettings }: JobRunner,
  { settings = {} }: Job,
): JobEvent | undefined {
  for (const [name, value] of Object.entries(settings)) {
    const issue = requestSettings.get(name)?.schema.safeParse(value).error?.issues[0];
    if (issue) return refusedIssue(issue, [name]);
  }
  return undefined;
}

/** Takes the calls out of answers, where the model was given tools. */
function splitterOf(
  { toolCallFormats }: JobRunner,
  model: Model,
  { tools }: Job,
): ToolCallSplitter | undefined {
  const format = tools && toolCallFormat(toolCallFormats, model.tokenizer.chatTemplate);
  return format && new ToolCallSplitter(format, tools);
}

/**
 * OpenAI's defaults, to draw among all tokens, where neither configuration nor checkpoint says
 * anything.
 */
function openAIDefaults({ topK, doSample }: GenerationOptions): GenerationOptions {
  return {
    ...(topK === undefined ? { topK: 0 } : {}),
    ...(doSample === undefined ? { doSample: true } : {}),
  };
}

/**
 * A text that cannot fit is refused by its beginning: to tokenize a megabyte takes seconds, in
 * which nobody else's tokens are computed.
 */
function farTooLong(
  { options, generator }: JobRunner,
  model: Model,
  prompt: Job['prompt'],
): JobEvent | undefined {
  const most = Math.min(
    options.maxPromptTokens ?? Infinity,
    generator.defaults(model).contextLength - 1,
  );
  const text =
    typeof prompt === 'string'
      ? prompt
      : prompt.map((part) => (typeof part === 'number' ? '' : textOf(part.content))).join('\n');
  // few texts have more characters a token; where it is cut there can be some tokens more than in
  // the whole
  const beginning = text.slice(0, 16 * (most + MARGIN));
  if (beginning.length === text.length) return undefined;
  const tokens = model.tokenizer.encode(beginning).ids.length;
  return tokens > most + MARGIN
    ? {
        kind: 'refused',
        code: 'context_length_exceeded',
        parameter: 'prompt',
        message: `the prompt has more than ${most} tokens, which is the most it can have here`,
      }
    : undefined;
}

const MARGIN = 64;

function encode(
  generator: TextGenerator,
  model: Model,
  { prompt, tools }: Job,
): Int32Array | JobEvent {
  const ids =
    Array.isArray(prompt) && typeof prompt[0] === 'number'
      ? (prompt as readonly number[])
      : undefined;
  const size = model.architecture.vocabularySize;
  const wrong = ids?.find((id) => id < 0 || id >= size);
  if (wrong !== undefined) {
    return {
      kind: 'refused',
      code: 'invalid_value',
      parameter: 'prompt',
      message: `'prompt' has the token id ${wrong}, but the vocabulary has ${size} tokens`,
    };
  }
  try {
    const given = ids ? Int32Array.from(ids) : (prompt as string);
    const encoded = generator.encodePrompt({ model, prompt: given, ...(tools ? { tools } : {}) });
    if (encoded.length > 0) return encoded;
    return {
      kind: 'refused',
      code: 'invalid_value',
      parameter: 'prompt',
      message: "'prompt' has no tokens",
    };
  } catch (error) {
    if (isLMFlowError(error)) {
      return {
        kind: 'refused',
        code: error.code,
        message: [error.message, error.hint].filter(Boolean).join('. '),
      };
    }
    throw error;
  }
}

/** Options with maxNewTokens decided, or why they are refused. */
function withinLimits(
  { options: limits, generator }: JobRunner,
  model: Model,
  length: number,
  options: GenerationOptions,
): GenerationOptions | (JobEvent & { kind: 'refused' }) {
  const { contextLength: context } = generator.defaults(model);
  const refused = (message: string, parameter: string): JobEvent & { kind: 'refused' } => ({
    kind: 'refused',
    code: 'context_length_exceeded',
    message,
    parameter,
  });
  if (limits.maxPromptTokens !== undefined && length > limits.maxPromptTokens) {
    return refused(
      `the prompt has ${length} tokens, this server takes at most ${limits.maxPromptTokens}`,
      'prompt',
    );
  }
  if (length >= context) {
    return refused(
      `this model's context is ${context} tokens, but the prompt has ${length}`,
      'prompt',
    );
  }
  const most = Math.min(context - length, limits.maxTokens ?? Infinity);
  const size = model.architecture.vocabularySize;
  const unknown = Object.keys(options.logitBias ?? {}).find((id) => Number(id) >= size);
  if (unknown !== undefined) {
    return {
      kind: 'refused',
      code: 'invalid_value',
      parameter: 'logit_bias',
      message: `'logit_bias' has the token id ${unknown}, but the vocabulary has ${size} tokens`,
    };
  }
  const asked = options.maxNewTokens ?? most;
  if (asked <= most) return { ...options, maxNewTokens: asked };
  if (limits.maxTokens !== undefined && asked > limits.maxTokens) {
    return refused(
      `${asked} tokens were asked for, this server gives at most ${limits.maxTokens}`,
      'max_tokens',
    );
  }
  return refused(
    `this model's context is ${context} tokens, but the prompt has ${length} and ${asked} more were asked for`,
    'max_tokens',
  );
}
