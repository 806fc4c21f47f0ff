// The parameters that both endpoints share: OpenAI's, and those that many servers add (top_k, min_p,
// repetition_penalty, min_tokens). Nothing is ignored: an unsupported parameter is refused by name,
// unless its value changes nothing.
import { randomInt } from 'node:crypto';
import type { GenerationOptions } from '@lmflow/sdk';
import { z } from 'zod';
import type { ModelInfo } from '../thread-messages.ts';
import { invalid, missing, unknownParameter, unsupported, type Failure } from './failures.ts';

export const shared = {
  model: z.string(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().gt(0).max(1).optional(),
  n: z.int().min(1).max(128).optional(),
  stream: z.boolean().optional(),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().optional(),
      include_obfuscation: z.literal(false).optional(),
    })
    .optional(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(16)]).optional(),
  max_tokens: z.int().min(1).optional(),
  presence_penalty: z.number().min(-2).max(2).optional(),
  frequency_penalty: z.number().min(-2).max(2).optional(),
  logit_bias: z.record(z.string().regex(/^\d{1,9}$/), z.number().min(-100).max(100)).optional(),
  seed: z.int().optional(),
  user: z.string().max(512).optional(),
  // newer names for the user, and for who shares cached prompts: they change no answer
  safety_identifier: z.string().max(512).optional(),
  prompt_cache_key: z.string().max(512).optional(),
  top_k: z.int().min(-1).optional(),
  min_p: z.number().min(0).max(1).optional(),
  repetition_penalty: z.number().positive().optional(),
  min_tokens: z.int().min(0).optional(),
};

/** What the endpoints use of the server. */
export interface Served {
  /** Finds a model by the name that clients use; throws a Failure. */
  readonly find: (name: string) => ModelInfo;
  /** Names of the request fields that are for plugins. */
  readonly requestSettings: readonly string[];
}

export type Shared = z.output<z.ZodObject<typeof shared>>;

/** An unsupported parameter of OpenAI's: the values that change nothing, and why others are refused. */
export interface Refusal {
  readonly accepted: readonly unknown[];
  readonly why: string;
}

/** A checked body. */
export interface ParsedBody<T> {
  readonly request: T;
  /** The same as it was given, without nulls. */
  readonly given: Readonly<Record<string, unknown>>;
  /** Fields for plugins, not checked yet. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/**
 * Checks a body: sets fields for plugins apart, refuses unsupported parameters by name, then applies
 * the schema. `null` counts as left out, also inside: clients that dump their objects send it. Throws
 * a Failure with status 400.
 */
export function parse<S extends z.ZodObject>(
  schema: S,
  refusals: Readonly<Record<string, Refusal>>,
  body: unknown,
  forPlugins: readonly string[],
): ParsedBody<z.output<S>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid('The body must be a JSON object');
  }
  const given = Object.entries(body).filter(([, value]) => value !== null);
  const settings = Object.fromEntries(given.filter(([name]) => forPlugins.includes(name)));
  const parameters = withoutNulls(
    Object.fromEntries(given.filter(([name]) => !forPlugins.includes(name))),
  );
  for (const [name, value] of Object.entries(parameters)) {
    const refusal = Object.hasOwn(refusals, name) ? refusals[name] : undefined;
    if (refusal) {
      if (
        !refusal.accepted.some((accepted) => JSON.stringify(accepted) === JSON.stringify(value))
      ) {
        throw unsupported(name, refusal.why);
      }
      delete parameters[name];
    } else if (!Object.hasOwn(schema.shape, name)) throw unknownParameter(name);
  }
  const result = schema.safeParse(parameters);
  if (result.success) {
    return {
      request: result.data,
      given: parameters,
      ...(Object.keys(settings).length > 0 ? { settings } : {}),
    };
  }
  throw issueFailure(result.error.issues[0]!, parameters);
}

/** The fields that are not null, at every depth but in JSON schemas, where null is a value. */
function withoutNulls(fields: object): Record<string, unknown> {
  const kept = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(kept);
    return typeof value === 'object' && value !== null ? withoutNulls(value) : value;
  };
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, name === 'parameters' ? value : kept(value)]),
  );
}

function issueFailure(issue: z.core.$ZodIssue, body: Record<string, unknown>): Failure {
  const path = issue.path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
  if (issue.code === 'unrecognized_keys') {
    const name = path === '' ? issue.keys[0]! : `${path}.${issue.keys[0]}`;
    return unsupported(name, 'there is no such field');
  }
  const value = issue.path.reduce<unknown>(
    (inside, key) => (inside as Record<PropertyKey, unknown> | undefined)?.[key],
    body,
  );
  if (value === undefined) return missing(path);
  return invalid(`Invalid value for '${path}': ${issue.message}`, path, 'invalid_value');
}

/**
 * The generator's options for a request's parameters. Temperature 0 is greedy; without a seed each
 * request draws one.
 */
export function generationOptions(
  body: Shared,
  maxNewTokens: number | undefined,
  logprobs: number | undefined,
): GenerationOptions {
  const { temperature, stop, logit_bias: bias, seed } = body;
  const set: Partial<Record<keyof GenerationOptions, unknown>> = {
    maxNewTokens,
    logprobs,
    doSample: samples(body),
    temperature: temperature === 0 ? undefined : temperature,
    topP: body.top_p,
    topK: body.top_k === undefined ? undefined : Math.max(0, body.top_k),
    minP: body.min_p,
    repetitionPenalty: body.repetition_penalty,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    minNewTokens: body.min_tokens,
    numReturnSequences: body.n ?? 1,
    // the best beam is known only at the end, so beams cannot be streamed
    numBeams: 1,
    seed: seed === undefined ? randomInt(2 ** 31) : Math.abs(seed) % 2 ** 31,
    stop: typeof stop === 'string' ? [stop] : stop,
    logitBias:
      bias && Object.fromEntries(Object.entries(bias).map(([id, value]) => [Number(id), value])),
  };
  return Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined));
}

/** Whether the request asks for sampling; undefined where it sets nothing about it. */
function samples({ temperature, top_p, top_k, min_p }: Shared): boolean | undefined {
  if (temperature === 0) return false;
  return [temperature, top_p, top_k, min_p].some((value) => value !== undefined) || undefined;
}
