// Who may come in: the Host header (against DNS rebinding), the Origin header (against foreign web pages), the API key.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { ServeOptions } from '../options.ts';
import { wrongHost, wrongKey, wrongOrigin } from './failure.ts';

/** Throws where the Host header names a host that is not ours. An address cannot be rebound, a name can. */
export function checkHost(header: string | undefined, { host, allowedHosts }: Pick<ServeOptions, 'host' | 'allowedHosts'>): void {
  const name = hostName(header ?? '');
  if (name === undefined) throw wrongHost(header ?? '');
  if (isIP(name) > 0 || name === 'localhost' || name === host.toLowerCase() || allowedHosts.some((allowed) => allowed.toLowerCase() === name)) return;
  throw wrongHost(header ?? '');
}

function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/@\s[\]]+))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}

/** Throws where a page of another origin calls that is not allowed; gives the origin that a browser must be told is allowed. */
export function checkOrigin(origin: string | undefined, host: string | undefined, allowedOrigins: readonly string[]): string | undefined {
  if (origin === undefined) return undefined;
  if (allowedOrigins.includes('*') || allowedOrigins.includes(origin)) return origin;
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  if (match?.[1]!.toLowerCase() === host?.toLowerCase()) return undefined;
  throw wrongOrigin(origin);
}

/** Throws where a key is needed and another was sent. Compares digests, in constant time, so that neither content nor length leaks. */
export function checkKey(authorization: string | undefined, apiKey: string | undefined): void {
  if (apiKey === undefined) return;
  const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1];
  if (given === undefined || !timingSafeEqual(digest(given), digest(apiKey))) throw wrongKey(given !== undefined);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
