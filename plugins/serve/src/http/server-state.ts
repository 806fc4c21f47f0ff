// The state that the parts of the HTTP server share; http-server.ts makes it.
import type { FastifyInstance } from 'fastify';
import type { ServeOptions } from '../options.ts';
import type { FairQueue } from './fair-queue.ts';
import type { MainLink } from './main-link.ts';
import type { Metrics } from './metrics.ts';

/** The server's state, which the routes share. */
export interface Server {
  readonly app: FastifyInstance;
  readonly options: ServeOptions;
  /** API keys; without any, clients need none. */
  readonly keys: readonly string[];
  readonly link: MainLink;
  readonly queue: FairQueue;
  readonly metrics: Metrics;
  /** Aborts each request that waits or runs. */
  readonly active: Set<AbortController>;
  closing: boolean;
}
