// Runs the jobs of the HTTP thread on the main thread, where models and engine are. HTTP is in http/.
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
import type { PromptEcho } from './prompt-echo.ts';
import type { Job, JobEvent, PieceEvent } from './thread-messages.ts';
import type { ServeOptions } from './options.ts';
import { refusedIssue } from './plugin-routes.ts';
import { scoreTokens } from './token-scores.ts';
import { ToolCallSplitter } from './tool-calls.ts';

export interface JobRunner {
  readonly generator: TextGenerator;
  readonly echo: PromptEcho;
  readonly models: ReadonlyMap<string, Model>;
  readonly toolCallFormats: Iterable<ToolCallFormat>;
  readonly options: Pick<ServeOptions, 'maxPromptTokens' | 'maxTokens'>;
  /** What requests may set for plugins, by name. */
  readonly requestSettings: ReadonlyMap<string, RequestSetting>;
  readonly log: Logger;
}

/** Runs one job and reports its events; never rejects. */
export async function runJob(
  runner: JobRunner,
  job: Job,
  signal: AbortSignal,
  report: (event: JobEvent) => void,
): Promise<void> {
  const { generator, log } = runner;
  const model = runner.models.get(job.model)!;
  try {
    const prompt =
      (await refuseHugePrompt(runner, model, job.prompt)) ?? (await encode(generator, model, job));
    if (!(prompt instanceof Int32Array)) return report(prompt);
    const limited = limitOptions(runner, model, prompt.length, job.options);
    if ('kind' in limited) return report(limited);
    const refused = refuseSettings(runner, job);
    if (refused) return report(refused);
    const options = { ...openAIDefaults(generator.defaults(model).options), ...limited };
    report({ kind: 'started', promptTokens: prompt.length });
    if (job.echo) {
      await echoPrompt(runner, model, job, prompt, options, signal, report);
      if (options.maxNewTokens === 0) return report({ kind: 'done' });
    }
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
          : scoreTokens(model.tokenizer, tokens, last.get(index) ?? prompt.at(-1));
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
      // messages (an abort) are read here, however the generator waits
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      if (signal.aborted) break;
    }
    report({ kind: 'done' });
  } catch (error) {
    if (signal.aborted) return report({ kind: 'done' });
    report(failed(error, log));
  }
}

/** What a client hears of a failure; the rest is for the log. */
function failed(error: unknown, log: Logger): JobEvent {
  log.error(`a generation failed: ${messageOf(error)}`);
  if (error instanceof Error && error.stack !== undefined) log.debug(error.stack);
  return {
    kind: 'failed',
    message: isLMFlowError(error)
      ? `the generation failed (${error.code})`
      : 'the generation failed',
  };
}

/** Reports the prompt as the first piece of every answer to it. */
async function echoPrompt(
  { echo }: JobRunner,
  model: Model,
  { prompt }: Job,
  ids: Int32Array,
  { logprobs, maxNewTokens, numReturnSequences = 1 }: GenerationOptions,
  signal: AbortSignal,
  report: (event: JobEvent) => void,
): Promise<void> {
  const echoed = await echo.of({
    model,
    prompt: prompt as string | readonly number[],
    ids,
    logprobs,
    signal,
  });
  for (let index = 0; index < numReturnSequences; index++) {
    const finish = maxNewTokens === 0 ? ({ finishReason: 'length' } as const) : {};
    report({ kind: 'piece', index, ...echoed, tokens: 0, ...finish });
  }
}

/** Why a field for a plugin is refused; the generator checks it again and fills in defaults. */
function refuseSettings(
  { requestSettings }: JobRunner,
  { settings = {} }: Job,
): JobEvent | undefined {
  for (const [name, value] of Object.entries(settings)) {
    const issue = requestSettings.get(name)?.schema.safeParse(value).error?.issues[0];
    if (issue) return refusedIssue(issue, [name]);
  }
  return undefined;
}

/** Splits tool calls from the answers of a job with tools. */
function splitterOf(
  { toolCallFormats }: JobRunner,
  model: Model,
  { tools }: Job,
): ToolCallSplitter | undefined {
  const format = tools && toolCallFormat(toolCallFormats, model.tokenizer.chatTemplate);
  return format && new ToolCallSplitter(format, tools);
}

/** OpenAI's defaults, to draw among all tokens, where config and checkpoint set nothing. */
function openAIDefaults({ topK, doSample }: GenerationOptions): GenerationOptions {
  return {
    ...(topK === undefined ? { topK: 0 } : {}),
    ...(doSample === undefined ? { doSample: true } : {}),
  };
}

/**
 * Refuses a text that cannot fit by its beginning: tokenizing a megabyte takes seconds, in which
 * other prompts wait.
 */
async function refuseHugePrompt(
  { options, generator }: JobRunner,
  model: Model,
  prompt: Job['prompt'],
): Promise<JobEvent | undefined> {
  const most = Math.min(
    options.maxPromptTokens ?? Infinity,
    generator.defaults(model).contextLength - 1,
  );
  const text =
    typeof prompt === 'string'
      ? prompt
      : prompt.map((part) => (typeof part === 'number' ? '' : textOf(part.content))).join('\n');
  // few texts have more characters per token; the margin is for tokens that the cut splits
  const beginning = text.slice(0, 16 * (most + MARGIN));
  if (beginning.length === text.length) return undefined;
  const [encoding] = await model.tokenizer.encodeBatch([beginning]);
  const tokens = encoding!.ids.length;
  return tokens > most + MARGIN
    ? {
        kind: 'refused',
        code: 'context_length_exceeded',
        parameter: 'prompt',
        message: `the prompt has more than ${most} tokens, the most that this server takes`,
      }
    : undefined;
}

const MARGIN = 64;

async function encode(
  generator: TextGenerator,
  model: Model,
  { prompt, tools }: Job,
): Promise<Int32Array | JobEvent> {
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
    const input = ids ? Int32Array.from(ids) : (prompt as string);
    const encoded = await generator.encodePrompt({
      model,
      prompt: input,
      ...(tools ? { tools } : {}),
    });
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

/** The options with maxNewTokens, or why they are refused. */
function limitOptions(
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
      `the prompt has ${length} tokens, but this server takes at most ${limits.maxPromptTokens}`,
      'prompt',
    );
  }
  if (length + Number(options.maxNewTokens !== 0) > context) {
    return refused(
      `the prompt has ${length} tokens, but the model's context holds ${context}, answer included`,
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
  const maxNewTokens = options.maxNewTokens ?? most;
  if (maxNewTokens <= most) return { ...options, maxNewTokens };
  if (limits.maxTokens !== undefined && maxNewTokens > limits.maxTokens) {
    return refused(
      `the request asks for ${maxNewTokens} tokens, but this server gives at most ${limits.maxTokens}`,
      'max_tokens',
    );
  }
  return refused(
    `the context holds ${context} tokens, but the prompt has ${length} and the request asks for ${maxNewTokens}`,
    'max_tokens',
  );
}
