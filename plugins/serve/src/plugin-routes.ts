// Routes of other plugins: what a row of SERVE_ROUTES is, and how its handler is called on the main
// thread. The routes of the API are in http/routes.ts: they answer while a step is computed.
import { isLMFlowError, messageOf, registry, type Awaitable, type Logger } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { z } from 'zod';
import { routeInvalid } from './errors.ts';
import type { RouteCall, JobEvent } from './thread-messages.ts';

/** A request that came in for a plugin's route; host, origin and API key were checked. */
export interface RouteRequest {
  /** The JSON of a POST's body, or the query of a GET: parse it with a zod schema. */
  readonly input: unknown;
  /** The models that are served, by the names that clients use. */
  readonly models: ReadonlyMap<string, Model>;
  /** Aborted when the client goes away, or after serve.requestTimeout. */
  readonly signal: AbortSignal;
}

/** What a plugin's route answers. */
export interface RouteAnswer {
  /** 200 where left out. */
  readonly status?: number;
  /** In lower case; `content-type` follows from the body where left out. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, bytes, or anything else as JSON. */
  readonly body: unknown;
}

/** A path that a plugin answers: `/plugins/<name>`. */
export interface ServeRoute {
  /** Words of lower-case letters, digits and dashes, with slashes between them. */
  readonly name: string;
  readonly method: 'GET' | 'POST';
  /**
   * Answers on the thread that computes, so it is short or awaits. What a zod schema throws, and an
   * LMFlowError of the kinds usage and input, is status 400; anything else 500 without its message.
   */
  handle(request: RouteRequest): Awaitable<RouteAnswer>;
}

/** Routes of plugins, all behind the checks of host, origin and API key. */
export const SERVE_ROUTES = registry<ServeRoute>('@lmflow/plugin-serve:routes', 'route of serve');

/** The routes by name; throws LMFLOW_SERVE_ROUTE_INVALID. */
export function checkedRoutes(routes: Iterable<ServeRoute>): ReadonlyMap<string, ServeRoute> {
  const checked = new Map<string, ServeRoute>();
  for (const route of routes) {
    if (!/^[a-z0-9-]+(\/[a-z0-9-]+)*$/.test(route.name)) throw routeInvalid(route.name);
    checked.set(route.name, route);
  }
  return checked;
}

/** Calls a route's handler; gives what the HTTP thread answers, and never rejects. */
export async function answerRoute(
  route: ServeRoute,
  { input }: RouteCall,
  models: ReadonlyMap<string, Model>,
  signal: AbortSignal,
  log: Logger,
): Promise<JobEvent> {
  try {
    const { status = 200, headers = {}, body } = await route.handle({ input, models, signal });
    const [type, content] = encoded(body);
    return { kind: 'answered', status, headers: { 'content-type': type, ...headers }, content };
  } catch (error) {
    const refused = refusal(error);
    if (refused) return refused;
    if (!signal.aborted) log.error(`the route ${route.name} failed: ${messageOf(error)}`);
    if (error instanceof Error && error.stack !== undefined) log.debug(error.stack);
    return { kind: 'failed', message: 'The route failed' };
  }
}

function encoded(body: unknown): readonly [type: string, content: string | Uint8Array] {
  if (typeof body === 'string') return ['text/plain; charset=utf-8', body];
  if (body instanceof Uint8Array) return ['application/octet-stream', body];
  return ['application/json; charset=utf-8', JSON.stringify(body ?? null)];
}

/** Where the client is at fault. */
function refusal(error: unknown): JobEvent | undefined {
  if (!(error instanceof Error)) return undefined;
  // by name: a plugin may have a zod of its own
  if (/^\$?ZodError$/.test(error.name) && 'issues' in error) {
    return refusedIssue((error.issues as [z.core.$ZodIssue])[0], []);
  }
  if (isLMFlowError(error) && (error.kind === 'usage' || error.kind === 'input')) {
    const message = [error.message, error.hint].filter(Boolean).join('. ');
    return { kind: 'refused', code: error.code, message };
  }
  return undefined;
}

/** A value that a schema does not take, as OpenAI's API says it; `within` is the field it is in. */
export function refusedIssue(
  { path, message }: z.core.$ZodIssue,
  within: readonly string[],
): JobEvent & { kind: 'refused' } {
  const parameter = z.core.toDotPath([...within, ...path]);
  return {
    kind: 'refused',
    code: 'invalid_value',
    message: parameter === '' ? message : `Invalid value for '${parameter}': ${message}`,
    ...(parameter === '' ? {} : { parameter }),
  };
}
