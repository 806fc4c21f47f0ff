// Answers errors in OpenAI's shape, also those of clients that do not speak HTTP. The errors
// themselves are in failures.ts.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Failure, invalid, noSuchPath, wrongExpectation, wrongType } from './failures.ts';
import type { MainLink } from './main-link.ts';

type FastifyFault = Error & { statusCode?: number; code?: string };

/** Answers the errors of routes and checks, and unknown paths. */
export function answerErrors(app: FastifyInstance, link: MainLink): void {
  app.setNotFoundHandler((request) => {
    throw noSuchPath(request.method, request.url.split('?')[0]!);
  });
  app.setErrorHandler((error: FastifyFault, request, reply) => {
    const failure = error instanceof Failure ? error : fromFastify(error);
    if (failure.status >= 500 && failure.status !== 503) {
      link.log(
        'error',
        `${request.id} ${request.method} ${request.routeOptions.url ?? 'unknown'}: ${error.stack ?? error.message}`,
      );
    }
    // the rest of an unread body must not be taken for the next request
    if (failure.status === 413) reply.header('connection', 'close');
    return sendFailure(reply, failure);
  });
}

/** Answers a request that the router cannot read (a path such as `/%zz`): no hook runs before. */
export function answerFrameworkError(
  error: FastifyFault,
  _: FastifyRequest,
  reply: FastifyReply,
): void {
  void sendFailure(reply, fromFastify(error));
}

/** Answers what never becomes a request of fastify's, and what Node.js answers without a body. */
export function answerServerEvents(server: Server): void {
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const { status, body } = wrongExpectation(request.headers.expect ?? '');
    const text = JSON.stringify(body);
    response
      .writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        connection: 'close',
      })
      .end(text);
  });
  server.on('connect', (_: IncomingMessage, socket: Socket) => {
    end(socket, '400 Bad Request', 'This server is no proxy');
  });
}

function sendFailure(reply: FastifyReply, failure: Failure): FastifyReply {
  return reply
    .code(failure.status)
    .headers(failure.headers)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(failure.body));
}

/** Answers a client that sends no HTTP request, or sends it too slowly, and disconnects it. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const { status, reason } = FAULTS[error.code ?? ''] ?? {
    status: '400 Bad Request',
    reason: 'This is not a valid HTTP request',
  };
  end(socket, status, reason);
}

const FAULTS: Readonly<Record<string, { readonly status: string; readonly reason: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    reason: 'The request arrived too slowly',
  },
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    reason: 'The headers of the request are too large',
  },
};

function end(socket: Socket, status: string, reason: string): void {
  const body = JSON.stringify(invalid(reason).body);
  const head = [
    `HTTP/1.1 ${status}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => {
    socket.destroy();
  });
}

function fromFastify({ statusCode = 500, message, code }: FastifyFault): Failure {
  if (statusCode === 415) return wrongType();
  return statusCode < 500
    ? new Failure(statusCode, message, { code: (code ?? 'bad_request').toLowerCase() })
    : new Failure(500, 'The server failed', { type: 'server_error' });
}
