// A call out of JSON that a model wrote: what all formats share.
import { randomUUID } from 'node:crypto';
import { JsonNumber, parseJson, stringifyJson, type ToolCall } from '@lmflow/sdk';

/** What a model may have meant as a call: parsed JSON, and the key that holds its arguments. */
export interface CallCandidate {
  readonly value: unknown;
  readonly argumentsKey: string;
  readonly id: string;
}

/** The call; undefined where it is none, or names a function that is not among `functions`. */
export function toolCall(
  { value, argumentsKey, id }: CallCandidate,
  functions: ReadonlySet<string>,
): ToolCall | undefined {
  const fields = (value ?? {}) as { name?: unknown } & Record<string, unknown>;
  const { name, [argumentsKey]: values } = fields;
  if (typeof name !== 'string' || !functions.has(name)) return undefined;
  if (typeof values !== 'object' || values === null) return undefined;
  if (Array.isArray(values) || values instanceof JsonNumber) return undefined;
  // as the model wrote them: an id of 18 digits is another one when it is rounded
  return { id, type: 'function', function: { name, arguments: stringifyJson(values)! } };
}

/** A value of JSON text; undefined where it is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** An id as OpenAI's API makes them. */
export const callId = (): string => `call_${randomUUID().replaceAll('-', '')}`;

/** Whether a template writes `"name":`, also escaped inside of a string. */
export const writesKey = (template: string, name: string): boolean =>
  new RegExp(`"${name}\\\\?":`).test(template);
