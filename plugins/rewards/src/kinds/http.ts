// A service over HTTP as a reward: POST { query, prompts, completions } -> { rewards } (OpenRLHF's
// remote reward model; LLaMA-Factory's answers with { scores }). Failures that may pass are tried again.
import { defineReward, isFields, messageOf, type RewardInput } from '@lmflow/sdk';
import pLimit from 'p-limit';
import pRetry, { AbortError } from 'p-retry';
import { z } from 'zod';
import { AnswersError } from '../answers-error.ts';
import { rewardInvalid } from '../errors.ts';

/** Statuses after which another try may help. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
const SHOWN = 200;

const options = z.object({
  url: z.url({ protocol: /^https?$/ }).describe('Where the answers are posted.'),
  headers: z.record(z.string(), z.string()).default({}).describe('Headers of the requests.'),
  columns: z
    .array(z.string().min(1))
    .default([])
    .describe('Columns of the data that are sent along, as columns: { name: [...] }.'),
  batchSize: z.int().positive().default(64).describe('Most answers in a request.'),
  concurrency: z.int().positive().default(4).describe('Most requests at the same time.'),
  requestTimeout: z.number().positive().default(60).describe('Seconds that a try may take.'),
  retries: z
    .int()
    .nonnegative()
    .default(3)
    .describe(
      'Tries after the first, for statuses 408, 425, 429, 500, 502 to 504, lost connections, time.',
    ),
  retryDelay: z
    .number()
    .positive()
    .default(1)
    .describe('Seconds before the second try; twice as many before each further one.'),
});

type Options = z.output<typeof options>;

export const httpReward = defineReward({
  name: 'http',
  description: 'what a service over HTTP answers',
  options,
  open: (given, { name }) => {
    try {
      new Headers(given.headers);
    } catch (cause) {
      throw rewardInvalid(name, `headers: ${messageOf(cause)}`);
    }
    const limit = pLimit(given.concurrency);
    return async (input) => {
      const starts: number[] = [];
      for (let from = 0; from < input.completions.length; from += given.batchSize) {
        starts.push(from);
      }
      const failure = new AbortController();
      const signal = AbortSignal.any([input.signal, failure.signal]);
      const batches = starts.map((from) =>
        limit(async () => asked(given, input, { from, signal })).catch((cause: unknown) => {
          // those that wait need not be sent
          failure.abort(cause);
          throw cause;
        }),
      );
      return (await Promise.all(batches)).flat() as (number | null)[];
    };
  },
});

interface Batch {
  readonly from: number;
  readonly signal: AbortSignal;
}

/** The values of a batch, after as many tries as it takes. Throws AnswersError. */
async function asked(given: Options, input: RewardInput, batch: Batch): Promise<unknown[]> {
  const to = Math.min(batch.from + given.batchSize, input.completions.length);
  const body = JSON.stringify(bodyOf(given, input, batch.from, to));
  try {
    const values = await pRetry(() => posted(given, body, batch.signal), {
      retries: given.retries,
      minTimeout: given.retryDelay * 1000,
      signal: batch.signal,
    });
    const count = to - batch.from;
    if (values.length === count) return values;
    throw new Error(`${given.url} gave ${values.length} values for ${count} answers`);
  } catch (cause) {
    batch.signal.throwIfAborted();
    throw new AnswersError(messageOf(cause), { from: batch.from, to }, cause);
  }
}

/** One try. AbortError is what no further try can mend. */
async function posted(
  { url, headers, requestTimeout }: Options,
  body: string,
  signal: AbortSignal,
) {
  const time = AbortSignal.timeout(requestTimeout * 1000);
  let text: string;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body,
      signal: AbortSignal.any([signal, time]),
    });
    text = await response.text();
    if (!response.ok) {
      const error = new Error(`${url} answered ${response.status}: ${shown(text)}`);
      throw PASSING.has(response.status) ? error : new AbortError(error);
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (time.aborted) {
      throw new Error(`${url} did not answer within ${requestTimeout} s`, { cause });
    }
    if (!(cause instanceof TypeError)) throw cause;
    // fetch says "fetch failed", its cause why
    throw new Error(`${url}: ${messageOf(cause.cause ?? cause)}`, { cause });
  }
  return valuesOf(url, text);
}

function valuesOf(url: string, text: string): unknown[] {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new AbortError(`${url} answered no JSON: ${shown(text)}`);
  }
  const values = isFields(answer) ? (answer['rewards'] ?? answer['scores']) : answer;
  if (Array.isArray(values)) return values;
  throw new AbortError(`${url} answered without a list "rewards": ${shown(text)}`);
}

function bodyOf({ columns }: Options, input: RewardInput, from: number, to: number): unknown {
  const prompts = input.prompts.slice(from, to);
  const completions = input.completions.slice(from, to);
  const query = prompts.map((prompt, index) => {
    const completion = completions[index]!;
    if (typeof prompt === 'string') return `${prompt}${completion}`;
    return [...prompt, { role: 'assistant', content: completion }];
  });
  if (columns.length === 0) return { query, prompts, completions };
  const sent = columns.map((name) => [
    name,
    prompts.map((_, index) => input.columns[name]?.[from + index] ?? null),
  ]);
  return { query, prompts, completions, columns: Object.fromEntries(sent) as unknown };
}

function shown(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
}
