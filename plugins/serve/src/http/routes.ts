// Adds the server's paths: the API, /health, /metrics and the chat page. Requests for text are run in
// answer.ts.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ModelInfo, ThreadData } from '../thread-messages.ts';
import { answerRequest } from './answer.ts';
import type { Server } from './server-state.ts';
import { planChat } from './chat-endpoint.ts';
import { planCompletion } from './completions-endpoint.ts';
import { modelNotFound, shuttingDown } from './failures.ts';
import { readPage } from './chat-page.ts';
import type { Plan } from './plan.ts';
import { addPluginRoutes } from './plugin-routes.ts';

/** Adds every route. */
export function addRoutes(
  server: Server,
  { models, version, requestSettings, routes }: ThreadData,
): void {
  const find = (name: string): ModelInfo => {
    const found = models.find(({ id }) => id === name);
    if (!found) throw modelNotFound(name);
    return found;
  };
  addModels(server, models, find);
  const served = { find, requestSettings };
  addEndpoint(server, '/v1/completions', (body) => planCompletion(body, served));
  addEndpoint(server, '/v1/chat/completions', (body) => planChat(body, served));
  addPluginRoutes(server, routes);
  addStatus(server, models, version);
  if (server.options.chatPage) addPage(server);
}

function addModels(
  { app }: Server,
  models: readonly ModelInfo[],
  find: (name: string) => ModelInfo,
): void {
  const listed = (info: ModelInfo): object => ({
    id: info.id,
    object: 'model',
    created: info.created,
    owned_by: 'lmflow',
    context_length: info.contextLength,
    ...(info.parent === undefined ? {} : { parent: info.parent }),
  });
  app.get('/v1/models', async () => ({ object: 'list', data: models.map(listed) }));
  app.get('/v1/models/*', async (request) =>
    listed(find((request.params as { '*': string })['*'])),
  );
}

function addEndpoint(server: Server, path: string, plan: (body: unknown) => Plan): void {
  server.app.post(path, async (request: FastifyRequest, reply: FastifyReply) => {
    if (server.closing) throw shuttingDown();
    await answerRequest(server, request, reply, plan(request.body));
    return reply;
  });
}

function addStatus(server: Server, models: readonly ModelInfo[], version: string): void {
  const { app, queue, metrics } = server;
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
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}

function addPage({ app }: Server): void {
  const { html, policy } = readPage();
  const helmet = { contentSecurityPolicy: { useDefaults: false, directives: policy } };
  app.get('/', { helmet }, async (_, reply) =>
    reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(html),
  );
}
