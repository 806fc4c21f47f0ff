// The HTTP server: limits, checks, counting, shutdown. It reaches models through the link to the main
// thread; its answers are in routes.ts.
import fastify, { type FastifyInstance } from 'fastify';
import type { ThreadData } from '../thread-messages.ts';
import type { ServeOptions } from '../options.ts';
import { abortAll } from './answer.ts';
import { Connections } from './connections.ts';
import {
  answerClientError,
  answerErrors,
  answerFrameworkError,
  answerServerEvents,
} from './error-answers.ts';
import { FairQueue } from './fair-queue.ts';
import { guard, keysOf } from './guard.ts';
import { readJsonBodies } from './json-body.ts';
import type { MainLink } from './main-link.ts';
import { createMetrics } from './metrics.ts';
import { addRoutes } from './routes.ts';
import type { Server } from './server-state.ts';

/** Makes the server; `listen` on `app` starts it. */
export async function createServer(settings: ThreadData, link: MainLink): Promise<Server> {
  const { options } = settings;
  const app = createApp(options);
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
    metrics: createMetrics(queue, connections),
    active: new Set(),
    closing: false,
  };
  // first, since fastify gives a route the error handler that is set when the route is added
  answerErrors(app, link);
  answerServerEvents(app.server);
  countAnswers(server);
  await guard(server);
  readJsonBodies(app);
  addRoutes(server, settings);
  return server;
}

/** Fastify with limits on the size and the slowness of requests. */
function createApp(options: ServeOptions): FastifyInstance {
  const milliseconds = {
    headersTimeout: options.headersTimeout * 1000,
    requestTimeout: Math.max(options.headersTimeout, options.bodyTimeout) * 1000,
  };
  return fastify({
    bodyLimit: options.maxBodyBytes,
    requestTimeout: milliseconds.requestTimeout,
    keepAliveTimeout: 5000,
    forceCloseConnections: 'idle',
    trustProxy: options.trustedProxies.length > 0 ? options.trustedProxies : false,
    routerOptions: { maxParamLength: 256 },
    // routes refuse what comes while the server closes, in the shape of OpenAI
    return503OnClosing: false,
    frameworkErrors: answerFrameworkError,
    http: {
      // guard.ts checks it
      requireHostHeader: false,
      ...milliseconds,
      maxHeaderSize: 16_384,
      connectionsCheckingInterval: Math.min(1000, milliseconds.headersTimeout / 4),
    },
    clientErrorHandler: answerClientError,
  });
}

function countAnswers({ app, metrics }: Server): void {
  app.addHook('onResponse', async (request, reply) => {
    // the router's name of the path, never the client's text
    const route = request.routeOptions.url ?? 'unknown';
    metrics.requests.inc({
      route,
      status: String(reply.raw.writableFinished ? reply.statusCode : 499),
    });
    metrics.duration.observe({ route }, reply.elapsedTime / 1000);
  });
}

/** Closes the server: running requests may finish until shutdownTimeout, waiting ones get 503. */
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
  // the last answers are on their way; after that, open connections are cut
  setTimeout(() => {
    server.app.server.closeAllConnections();
  }, 500).unref();
  await closed;
}
