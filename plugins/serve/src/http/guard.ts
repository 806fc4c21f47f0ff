// Decides which requests are allowed: by target and Host header (against DNS rebinding), Origin header (against
// foreign web pages) and API key. @fastify/cors only informs browsers and lets a foreign page's
// request run, so host and origin are checked here.
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import bearerAuth from '@fastify/bearer-auth';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import type { ServeOptions } from '../options.ts';
import type { Server } from './server-state.ts';
import { bearerToken } from './client-identity.ts';
import { oneHost, wrongHost, wrongKey, wrongOrigin, wrongTarget } from './failures.ts';

const OPEN_PATHS: readonly (string | undefined)[] = ['/', '/health'];

/** Adds the checks of host, origin and key to every route, in this order, and security headers. */
export async function guard({ app, options, keys }: Server): Promise<void> {
  const { allowedOrigins } = options;
  // no strict transport security: the proxy that ends TLS decides whether a name is for TLS only
  await app.register(helmet, {
    contentSecurityPolicy: false,
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
  });
  app.addHook('onRequest', async ({ raw, headers: { host, origin } }) => {
    checkAddress(raw);
    checkHost(host, options);
    checkOrigin(origin, host, allowedOrigins);
  });
  await app.register(cors, {
    // the server's own page needs no header: its requests have no foreign origin
    origin: (origin, callback) => {
      callback(null, origin !== undefined && isAllowed(origin, allowedOrigins));
    },
    methods: ['GET', 'POST'],
    allowedHeaders: ['authorization', 'content-type', '*'],
    exposedHeaders: 'retry-after',
    maxAge: 600,
    strictPreflight: false,
  });
  if (keys.length > 0) await requireKey(app, keys);
}

/** Compares keys in constant time, so that neither content nor length of a key leaks. */
async function requireKey(app: FastifyInstance, keys: readonly string[]): Promise<void> {
  await app.register(bearerAuth, {
    keys: [...keys],
    addHook: false,
    specCompliance: 'rfc6749', // "bearer" in any case
  });
  app.addHook('onRequest', (request, reply, done) => {
    const [path] = request.url.split('?');
    if (OPEN_PATHS.includes(path)) return done();
    app.verifyBearerAuth!(request, reply, (error) => {
      done(error && wrongKey(bearerToken(request) !== undefined));
    });
  });
}

/**
 * Throws where a proxy in front might read another host or path than this server does: several Host
 * headers, of which Node.js shows the first alone, or a target with a host in it.
 */
function checkAddress({ url = '', method, rawHeaders, httpVersion }: IncomingMessage): void {
  const hosts = rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === 'host');
  // HTTP/1.0 knows no Host; checkHost refuses it
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion !== '1.0')) {
    throw oneHost(hosts.length);
  }
  if (!url.startsWith('/') && !(method === 'OPTIONS' && url === '*')) throw wrongTarget(url);
}

/** Throws where the Host header names a foreign host. Addresses pass: only names can be rebound. */
function checkHost(
  header: string | undefined,
  { host, allowedHosts }: Pick<ServeOptions, 'host' | 'allowedHosts'>,
): void {
  const name = hostName(header ?? '');
  if (name === undefined) throw wrongHost(header ?? '');
  if (
    isIP(name) > 0 ||
    name === 'localhost' ||
    name === host.toLowerCase() ||
    allowedHosts.some((allowed) => allowed.toLowerCase() === name)
  ) {
    return;
  }
  throw wrongHost(header ?? '');
}

function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/@\s[\]]+))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}

/** Throws where a page of another origin calls, unless it is allowed. */
function checkOrigin(
  origin: string | undefined,
  host: string | undefined,
  allowedOrigins: readonly string[],
): void {
  if (origin === undefined || isAllowed(origin, allowedOrigins)) return;
  const [, own] = /^https?:\/\/([^/]+)$/i.exec(origin) ?? [];
  if (own?.toLowerCase() !== host?.toLowerCase()) throw wrongOrigin(origin);
}

function isAllowed(origin: string, allowedOrigins: readonly string[]): boolean {
  return allowedOrigins.includes('*') || allowedOrigins.includes(origin);
}

/** All API keys, each once. */
export function keysOf({
  apiKey,
  apiKeys,
}: Pick<ServeOptions, 'apiKey' | 'apiKeys'>): readonly string[] {
  return [...new Set([...(apiKey === undefined ? [] : [apiKey]), ...apiKeys])];
}
