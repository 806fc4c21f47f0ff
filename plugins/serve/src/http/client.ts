// Whom a request counts for in the queue. Whether it may come in is the business of guard.ts.
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

/**
 * The key of a request where there are several (guard.ts has checked it), else its address (of IPv6
 * the network, all of which one client has).
 */
export function clientOf(
  request: Pick<FastifyRequest, 'ip' | 'headers'>,
  keys: readonly string[],
): string {
  if (keys.length > 1) return `key ${keys.indexOf(bearerToken(request)!)}`;
  // what a proxy forwards need not be an address
  if (!ipaddr.isValid(request.ip)) return request.ip;
  const address = ipaddr.process(request.ip);
  return address instanceof ipaddr.IPv6 ? address.parts.slice(0, 4).join(':') : address.toString();
}

/** What a request sends as its API key. */
export function bearerToken({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  return /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]?.trim();
}
