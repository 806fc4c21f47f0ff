// Routes of other plugins: the rows of SERVE_ROUTES, and the calls of their handlers on the main
// thread. The routes of the API are in http/routes.ts.
import { isLMFlowError, messageOf, registry, type Awaitable, type Logger } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { z } from 'zod';
import { routeInvalid } from './errors.ts';
import type { RouteCall, JobEvent } from './thread-messages.ts';

/** A request to a plugin's route; its host, origin and API key are checked. */
export interface RouteRequest {
  /** The JSON of a POST's body, or the query of a GET: parse it with a zod schema. */
  readonly input: unknown;
  /** The models that are served, by the names that clients use. */
  readonly models: ReadonlyMap<string, Model>;
  /** Aborted when the client goes away, or after serve.requestTimeout. */
  readonly signal: AbortSignal;
}

/** The answer of a plugin's route. */
export interface RouteAnswer {
  /** By default 200. */
  readonly status?: number;
  /** Names in lower case; by default `content-type` follows from the body. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, bytes, or a value that is sent as JSON. */
  readonly body: unknown;
}

/** A path that a plugin answers: `/plugins/<name>`. */
export interface ServeRoute {
  /** Words of lower-case letters, digits and dashes, with slashes between them. */
  readonly name: string;
  readonly method: 'GET' | 'POST';
  /**
   * Answers on the thread that computes, so it is short or awaits. A zod error, or an LMFlowError of
   * kind usage or input, gives status 400; any other error gives 500 without its message.
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

/** Calls a route's handler; returns the event for the HTTP thread, and never rejects. */
export async function answerRoute(
  route: ServeRoute,
  { input }: RouteCall,
  models: ReadonlyMap<string, Model>,
  signal: AbortSignal,
  log: Logger,
): Promise<JobEvent> {
  try {
    const { status = 200, headers = {}, body } = await route.handle({ input, models, signal });
    const [type, content] = encodeBody(body);
    return { kind: 'answered', status, headers: { 'content-type': type, ...headers }, content };
  } catch (error) {
    const refused = refusalOf(error);
    if (refused) return refused;
    if (!signal.aborted) log.error(`the route ${route.name} failed: ${messageOf(error)}`);
    if (error instanceof Error && error.stack !== undefined) log.debug(error.stack);
    return { kind: 'failed', message: 'The route failed' };
  }
}

function encodeBody(body: unknown): readonly [type: string, content: string | Uint8Array] {
  if (typeof body === 'string') return ['text/plain; charset=utf-8', body];
  if (body instanceof Uint8Array) return ['application/octet-stream', body];
  return ['application/json; charset=utf-8', JSON.stringify(body ?? null)];
}

/** The refusal where the client is at fault. */
function refusalOf(error: unknown): JobEvent | undefined {
  if (!(error instanceof Error)) return undefined;
  // by name, since a plugin may bring its own copy of zod
  if (/^\$?ZodError$/.test(error.name) && 'issues' in error) {
    return refusedIssue((error.issues as [z.core.$ZodIssue])[0], []);
  }
  if (isLMFlowError(error) && (error.kind === 'usage' || error.kind === 'input')) {
    const message = [error.message, error.hint].filter(Boolean).join('. ');
    return { kind: 'refused', code: error.code, message };
  }
  return undefined;
}

/** The refusal of a value by a schema, as OpenAI's API words it; `within` is the value's field. */
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
