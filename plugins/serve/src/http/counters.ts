// The figures of /metrics by name.
import { Metrics } from './metrics.ts';
import type { Connections } from './connections.ts';
import type { FairQueue } from './fair-queue.ts';

type Add = ReturnType<Metrics['counter']>;
type Observe = ReturnType<Metrics['histogram']>;

export interface Counters {
  readonly requests: Add;
  readonly tokens: Add;
  readonly duration: Observe;
  readonly waited: Observe;
  readonly firstToken: Observe;
  text(): string;
}

export function counters(queue: FairQueue, connections: Connections): Counters {
  const metrics = new Metrics();
  metrics.gauge(
    'lmflow_requests_waiting',
    'Requests that wait for their turn.',
    () => queue.waiting,
  );
  metrics.gauge('lmflow_requests_running', 'Requests whose turn it is.', () => queue.requests);
  metrics.gauge('lmflow_sequences_running', 'Sequences being decoded.', () => queue.running);
  metrics.gauge('lmflow_http_connections', 'Open connections.', () => connections.open);
  metrics.gauge('process_resident_memory_bytes', 'Resident memory of the process.', () =>
    process.memoryUsage.rss(),
  );
  metrics.gauge(
    'lmflow_http_heap_bytes',
    'Heap in use in the HTTP thread.',
    () => process.memoryUsage().heapUsed,
  );
  return {
    requests: metrics.counter(
      'lmflow_http_requests_total',
      'Answers by route and status; 499: the client went away.',
    ),
    tokens: metrics.counter(
      'lmflow_tokens_total',
      'Tokens read (prompt) and written (completion).',
    ),
    duration: metrics.histogram(
      'lmflow_http_request_seconds',
      'Time from the request to the end of its answer.',
    ),
    waited: metrics.histogram('lmflow_wait_seconds', 'Time a request waited for its turn.'),
    firstToken: metrics.histogram(
      'lmflow_first_token_seconds',
      'Time from the request to its first token.',
    ),
    text: () => metrics.text(),
  };
}
