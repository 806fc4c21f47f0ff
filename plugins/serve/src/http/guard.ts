// Who may come in: the Host header (against DNS rebinding), the Origin header (against foreign web
// pages), the API key. Host and origin are checked here: @fastify/cors only tells browsers what is
// allowed, it lets the request of a foreign page run.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';
import cors from '@fastify/cors';
import type { FastifyRequest } from 'fastify';
import type { ServeOptions } from '../options.ts';
import type { Server } from './app.ts';
import { wrongHost, wrongKey, wrongOrigin } from './failure.ts';

const OPEN_PATHS: readonly (string | undefined)[] = ['/', '/health'];

/** Puts the checks before every route, in this order: host, origin, key. */
export async function guard({ app, options, keys }: Server): Promise<void> {
  const { allowedOrigins } = options;
  app.addHook('onRequest', async ({ headers: { host, origin } }, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    checkHost(host, options);
    checkOrigin(origin, host, allowedOrigins);
  });
  await app.register(cors, {
    // none for our own page: its requests are like those without an origin
    origin: (origin, callback) => {
      callback(null, origin !== undefined && isAllowed(origin, allowedOrigins));
    },
    methods: ['GET', 'POST'],
    allowedHeaders: ['authorization', 'content-type', '*'],
    exposedHeaders: 'retry-after',
    maxAge: 600,
    strictPreflight: false,
  });
  app.addHook('onRequest', async (request) => {
    const [path] = request.url.split('?');
    if (!OPEN_PATHS.includes(path)) checkKey(request.headers.authorization, keys);
  });
}

/**
 * Throws where the Host header names a host that is not ours. An address cannot be rebound, a name
 * can.
 */
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

/** Throws where a page of another origin calls that is not allowed. */
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

/** Every key that is let in. */
export function keysOf({
  apiKey,
  apiKeys,
}: Pick<ServeOptions, 'apiKey' | 'apiKeys'>): readonly string[] {
  return [...new Set([...(apiKey === undefined ? [] : [apiKey]), ...apiKeys])];
}

/**
 * Throws where a key is needed and another was sent. Compares digests, in constant time, so that
 * neither content nor length leaks.
 */
function checkKey(authorization: string | undefined, keys: readonly string[]): void {
  if (keys.length === 0) return;
  const given = bearer(authorization);
  if (given === undefined || keyIndex(given, keys) < 0) throw wrongKey(given !== undefined);
}

/**
 * Whom a request counts for in the queue: its key where there are several (checked before), else
 * its address (of IPv6 the network, all of which one client has).
 */
export function clientOf({ ip, headers }: FastifyRequest, keys: readonly string[]): string {
  if (keys.length > 1) return `key ${keyIndex(bearer(headers.authorization)!, keys)}`;
  const address = ip.replace(/^::ffff:(?=\d+\.)/, '');
  return isIPv6(address) ? networkOf(address) : address;
}

function bearer(authorization: string | undefined): string | undefined {
  return /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1];
}

/** Every key is compared, so that the time does not tell which. */
function keyIndex(given: string, keys: readonly string[]): number {
  const own = digest(given);
  return keys.reduce(
    (found, key, index) => (timingSafeEqual(own, digest(key)) ? index : found),
    -1,
  );
}

/** The first 64 bits. */
function networkOf(address: string): string {
  const [head, tail] = address
    .replace(/%.*$/, '')
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':')));
  const groups = tail
    ? [...head!, ...new Array<string>(8 - head!.length - tail.length).fill('0'), ...tail]
    : head!;
  return groups
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
