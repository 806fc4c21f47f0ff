// Who may come in: the Host header (against DNS rebinding), the Origin header (against foreign web
// pages), the API key.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';
import type { FastifyRequest } from 'fastify';
import type { ServeOptions } from '../options.ts';
import { wrongHost, wrongKey, wrongOrigin } from './failure.ts';

/**
 * Throws where the Host header names a host that is not ours. An address cannot be rebound, a name
 * can.
 */
export function checkHost(
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

/**
 * Throws where a page of another origin calls that is not allowed; gives the origin that a browser
 * must be told is allowed.
 */
export function checkOrigin(
  origin: string | undefined,
  host: string | undefined,
  allowedOrigins: readonly string[],
): string | undefined {
  if (origin === undefined) return undefined;
  if (allowedOrigins.includes('*') || allowedOrigins.includes(origin)) return origin;
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  if (match?.[1]!.toLowerCase() === host?.toLowerCase()) return undefined;
  throw wrongOrigin(origin);
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
export function checkKey(authorization: string | undefined, keys: readonly string[]): void {
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
