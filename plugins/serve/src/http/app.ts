// The HTTP server: limits, guards, routes, errors. Knows no model, only the link to the main
// thread.
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ModelInfo, ThreadSettings } from '../thread-messages.ts';
import type { ServeOptions } from '../options.ts';
import { planChat } from './chat.ts';
import { planCompletion } from './completions.ts';
import { Connections } from './connections.ts';
import { Failure, invalid, modelNotFound, noSuchPath, shuttingDown, wrongType } from './failure.ts';
import { checkHost, checkKey, checkOrigin, keysOf } from './guard.ts';
import type { MainLink } from './main-link.ts';
import { counters, type Counters } from './counters.ts';
import { readPage } from './page.ts';
import { abortAll, answer, type Plan } from './answer.ts';
import { FairQueue } from './fair-queue.ts';

/** What the routes share. */
export interface Server {
  readonly app: FastifyInstance;
  readonly options: ServeOptions;
  /** API keys: none asks for none. */
  readonly keys: readonly string[];
  readonly link: MainLink;
  readonly queue: FairQueue;
  readonly count: Counters;
  /** Aborts each request that waits or runs. */
  readonly active: Set<AbortController>;
  closing: boolean;
}

/** Makes the server; `listen` on `app` starts it. */
export function createServer({ options, models, version }: ThreadSettings, link: MainLink): Server {
  const milliseconds = {
    headersTimeout: options.headersTimeout * 1000,
    requestTimeout: Math.max(options.headersTimeout, options.bodyTimeout) * 1000,
  };
  const app = fastify({
    bodyLimit: options.maxBodyBytes,
    requestTimeout: milliseconds.requestTimeout,
    keepAliveTimeout: 5000,
    forceCloseConnections: 'idle',
    trustProxy: options.trustedProxies.length > 0 ? options.trustedProxies : false,
    routerOptions: { maxParamLength: 256 },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    http: {
      ...milliseconds,
      maxHeaderSize: 16_384,
      connectionsCheckingInterval: Math.min(1000, milliseconds.headersTimeout / 4),
    },
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
      const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
      const body = JSON.stringify(
        invalid(
          slow ? 'The request came in too slowly' : 'This is not an HTTP request that can be read',
        ).body,
      );
      socket.end(
        `HTTP/1.1 ${slow ? '408 Request Timeout' : '400 Bad Request'}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        () => {
          socket.destroy();
        },
      );
    },
  });
  app.removeContentTypeParser('text/plain');
  const queue = new FairQueue(options.maxConcurrent, options.maxQueue);
  const connections = new Connections(app.server, options.maxConnections);
  app.addHook('preHandler', async ({ raw: { socket } }, reply) => {
    connections.busy(socket);
    reply.raw.once('close', () => {
      connections.done(socket);
    });
  });
  const server: Server = {
    app,
    options,
    keys: keysOf(options),
    link,
    queue,
    count: counters(queue, connections),
    active: new Set(),
    closing: false,
  };
  guard(server);
  routes(server, models, version);
  return server;
}

function guard({ app, options, keys, count }: Server): void {
  app.addHook('onRequest', async (request, reply) => {
    const { host, origin } = request.headers;
    reply.header('x-content-type-options', 'nosniff');
    checkHost(host, options);
    const allowed = checkOrigin(origin, host, options.allowedOrigins);
    if (allowed !== undefined) {
      reply.headers({
        'access-control-allow-origin': allowed,
        vary: 'Origin',
        'access-control-expose-headers': 'retry-after',
      });
      if (request.method === 'OPTIONS') {
        return reply
          .code(204)
          .headers({
            'access-control-allow-methods': 'GET, POST',
            'access-control-allow-headers': 'authorization, content-type, *',
            'access-control-max-age': '600',
          })
          .send();
      }
    }
    const path = request.url.split('?')[0];
    if (path !== '/' && path !== '/health') checkKey(request.headers.authorization, keys);
    return undefined;
  });
  app.addHook('onResponse', async (request, reply) => {
    // a name from the router, never what the client wrote
    count.requests({
      route: request.routeOptions.url ?? 'unknown',
      status: String(reply.raw.writableFinished ? reply.statusCode : 499),
    });
    count.duration({ route: request.routeOptions.url ?? 'unknown' }, reply.elapsedTime / 1000);
  });
}

function routes(server: Server, models: readonly ModelInfo[], version: string): void {
  const { app, options, queue, link, count } = server;
  const listed = (info: ModelInfo): object => ({
    id: info.id,
    object: 'model',
    created: info.created,
    owned_by: 'lmflow',
    context_length: info.contextLength,
    ...(info.parent === undefined ? {} : { parent: info.parent }),
  });
  const find = (name: string): ModelInfo => {
    const found = models.find(({ id }) => id === name);
    if (!found) throw modelNotFound(name);
    return found;
  };
  app.get('/v1/models', async () => ({ object: 'list', data: models.map(listed) }));
  app.get('/v1/models/*', async (request) =>
    listed(find((request.params as { '*': string })['*'])),
  );
  const endpoint = (
    path: string,
    plan: (body: unknown, find: (name: string) => ModelInfo) => Plan,
  ): void => {
    app.post(path, async (request: FastifyRequest, reply: FastifyReply) => {
      if (server.closing) throw shuttingDown();
      await answer(server, request, reply, plan(request.body, find));
      return reply;
    });
  };
  endpoint('/v1/completions', planCompletion);
  endpoint('/v1/chat/completions', planChat);
  app.get('/health', async (_, reply) =>
    reply.code(server.closing ? 503 : 200).send({
      status: server.closing ? 'closing' : 'ok',
      version,
      models: models.map(({ id }) => id),
      running: queue.requests,
      waiting: queue.waiting,
    }),
  );
  app.get('/metrics', async (_, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(count.text()),
  );
  if (options.chatPage) {
    const page = readPage();
    app.get('/', async (_, reply) => reply.headers(page.headers).send(page.html));
  }
  app.setNotFoundHandler((request) => {
    throw noSuchPath(request.method, request.url.split('?')[0]!);
  });
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, request, reply) => {
    const failure = error instanceof Failure ? error : fromFastify(error);
    if (failure.status >= 500 && failure.status !== 503) {
      link.log(
        'error',
        `${request.id} ${request.method} ${request.routeOptions.url ?? 'unknown'}: ${error.stack ?? error.message}`,
      );
    }
    // a body that was not read to its end must not be taken for the next request
    if (failure.status === 413) reply.header('connection', 'close');
    return reply
      .code(failure.status)
      .headers(failure.headers)
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(failure.body));
  });
}

function fromFastify(error: Error & { statusCode?: number; code?: string }): Failure {
  const { statusCode = 500 } = error;
  if (statusCode === 415) return wrongType();
  return statusCode < 500
    ? new Failure(statusCode, error.message, { code: (error.code ?? 'bad_request').toLowerCase() })
    : new Failure(500, 'The server failed', { type: 'server_error' });
}

/** Lets running requests finish, up to shutdownTimeout; those that wait are sent away. */
export async function closeServer(server: Server): Promise<void> {
  server.closing = true;
  server.queue.close();
  const timer = setTimeout(() => {
    abortAll(server.active);
  }, server.options.shutdownTimeout * 1000);
  const closed = server.app.close();
  while (server.active.size > 0) {
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  clearTimeout(timer);
  // answers are on their way; what keeps a connection open without asking anything is cut
  setTimeout(() => {
    server.app.server.closeAllConnections();
  }, 500).unref();
  await closed;
}
