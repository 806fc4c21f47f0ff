// Whom a request counts for in the queue. Whether it may come in is the business of guard.ts.
import { isIPv6 } from 'node:net';
import type { FastifyRequest } from 'fastify';

/**
 * The key of a request where there are several (guard.ts has checked it), else its address (of IPv6
 * the network, all of which one client has).
 */
export function clientOf(
  request: Pick<FastifyRequest, 'ip' | 'headers'>,
  keys: readonly string[],
): string {
  if (keys.length > 1) return `key ${keys.indexOf(bearerToken(request)!)}`;
  const address = request.ip.replace(/^::ffff:(?=\d+\.)/, '');
  return isIPv6(address) ? networkOf(address) : address;
}

/** What a request sends as its API key. */
export function bearerToken({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  return /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]?.trim();
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
