// Reads request bodies: JSON in UTF-8, as it is. What the fields of a body mean is checked by the
// endpoints.
import { messageOf, parseJson } from '@lmflow/sdk';
import type { FastifyInstance } from 'fastify';
import { invalid, notUtf8, tooDeep, wrongEncoding, wrongType } from './failures.ts';

/** What reads a body walks it level by level of calls: a deeper one would overflow the stack. */
const DEEPEST = 1000;

/** Takes JSON alone, and refuses bytes that are no UTF-8 instead of replacing them. */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['text/plain', 'application/json']);
  app.addHook('onRequest', async ({ headers }) => {
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw wrongEncoding(encoding);
    }
    const [, charset] = /;\s*charset="?([^";]*)/i.exec(headers['content-type'] ?? '') ?? [];
    // ASCII is UTF-8 too
    if (charset !== undefined && !/^\s*(utf-?8|us-ascii)\s*$/i.test(charset)) throw wrongType();
  });
  // a key __proto__ is a key like any other here: no field of a body is written to another object
  const parse = app.getDefaultJsonParser('ignore', 'ignore');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(body as Buffer);
    } catch {
      return done(notUtf8());
    }
    void parse(request, text, (error: Error | null, parsed?: unknown) => {
      if (error) return done(error);
      if (isDeeper(parsed, DEEPEST)) return done(tooDeep(DEEPEST));
      try {
        done(null, withTools(parsed, text));
      } catch (cause) {
        done(invalid(`the body is not valid JSON: ${messageOf(cause)}`));
      }
    });
  });
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function isDeeper(body: unknown, most: number): boolean {
  let level: unknown[] = [body];
  for (let depth = 0; ; depth++) {
    const containers = level.filter(isObject);
    if (containers.length === 0) return false;
    if (depth === most) return true;
    level = containers.flatMap((value): unknown[] => Object.values(value));
  }
}

/** Tools are for the model to read: their numbers and the order of their keys stay as written. */
function withTools(body: unknown, text: string): unknown {
  if (typeof body !== 'object' || body === null || !('tools' in body)) return body;
  const { tools } = parseJson(text) as { readonly tools: unknown };
  return { ...body, tools };
}
