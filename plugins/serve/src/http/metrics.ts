// The figures of /metrics, in a registry of prom-client per server: two servers in one process share
// no figure.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Connections } from './connections.ts';
import type { FairQueue } from './fair-queue.ts';

const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** The figures that are counted while the server answers; times are in seconds. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Counter<'route' | 'status'>;
  readonly tokens: Counter<'kind'>;
  readonly duration: Histogram<'route'>;
  readonly waited: Histogram;
  readonly firstToken: Histogram;
}

/** The metrics of one server; those of queue and connections are read at each scrape. */
export function createMetrics(queue: FairQueue, connections: Connections): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge('lmflow_requests_waiting', 'Requests that wait for their turn.', () => queue.waiting);
  gauge('lmflow_requests_running', 'Requests that are decoded.', () => queue.requests);
  gauge('lmflow_sequences_running', 'Sequences that are decoded.', () => queue.running);
  gauge('lmflow_http_connections', 'Open connections.', () => connections.open);
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () =>
    process.memoryUsage.rss(),
  );
  gauge(
    'lmflow_http_heap_bytes',
    'Heap in use in the HTTP thread.',
    () => process.memoryUsage().heapUsed,
  );
  return {
    registry,
    requests: new Counter({
      name: 'lmflow_http_requests_total',
      help: 'Answers by route and status; 499 means that the client went away.',
      labelNames: ['route', 'status'],
      registers,
    }),
    tokens: new Counter({
      name: 'lmflow_tokens_total',
      help: 'Tokens read (prompt) and written (completion).',
      labelNames: ['kind'],
      registers,
    }),
    duration: new Histogram({
      name: 'lmflow_http_request_seconds',
      help: 'Time from the request to the end of its answer.',
      labelNames: ['route'],
      buckets: BUCKETS,
      registers,
    }),
    waited: new Histogram({
      name: 'lmflow_wait_seconds',
      help: 'Time that a request waited for its turn.',
      buckets: BUCKETS,
      registers,
    }),
    firstToken: new Histogram({
      name: 'lmflow_first_token_seconds',
      help: 'Time from the request to its first token.',
      buckets: BUCKETS,
      registers,
    }),
  };
}
