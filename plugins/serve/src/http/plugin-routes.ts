// Relays the requests for plugins' routes from the HTTP thread to the main thread, where the plugins
// are, and their answers back.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteInfo } from '../thread-messages.ts';
import type { Server } from './server-state.ts';
import { invalid, routeFailed, shuttingDown } from './failures.ts';
import { requestSignal } from './request-signal.ts';

/** Adds the routes of plugins, below /plugins/. */
export function addPluginRoutes(server: Server, routes: readonly RouteInfo[]): void {
  for (const { name, method } of routes) {
    server.app.route({
      method,
      url: `/plugins/${name}`,
      handler: (request, reply) => relay(server, name, request, reply),
    });
  }
}

async function relay(
  server: Server,
  route: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (server.closing) throw shuttingDown();
  const input = request.method === 'POST' ? request.body : { ...(request.query as object) };
  const { signal, done } = requestSignal(server, reply);
  try {
    for await (const event of server.link.run({ route, input }, signal)) {
      if (event.kind === 'refused') throw invalid(event.message, event.parameter, event.code);
      if (event.kind !== 'answered') break;
      return await reply
        .code(event.status)
        .headers(event.headers)
        .send(typeof event.content === 'string' ? event.content : Buffer.from(event.content));
    }
    throw routeFailed();
  } finally {
    done();
  }
}
