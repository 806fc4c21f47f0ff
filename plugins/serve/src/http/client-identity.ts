// Identifies the client of a request for the queue. Whether the request is allowed is decided in
// guard.ts.
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

/**
 * The request's key where there are several (guard.ts checked it), else its address, or for IPv6 its
 * network, since a client has a whole network.
 */
export function clientOf(
  request: Pick<FastifyRequest, 'ip' | 'headers'>,
  keys: readonly string[],
): string {
  if (keys.length > 1) return `key ${keys.indexOf(bearerToken(request)!)}`;
  // a proxy may forward something other than an address
  if (!ipaddr.isValid(request.ip)) return request.ip;
  const address = ipaddr.process(request.ip);
  return address instanceof ipaddr.IPv6 ? address.parts.slice(0, 4).join(':') : address.toString();
}

/** The API key that a request sends. */
export function bearerToken({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  return /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]?.trim();
}
