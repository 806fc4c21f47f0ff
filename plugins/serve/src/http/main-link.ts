// The HTTP thread's link to the main thread: starts jobs there and yields their events as they come.
import { packJob } from '../packed-job.ts';
import type { Job, JobEvent, RouteCall, ToMain } from '../thread-messages.ts';

export class MainLink {
  readonly #send: (message: ToMain) => void;
  readonly #listeners = new Map<number, (event: JobEvent) => void>();
  #next = 1;

  constructor(send: (message: ToMain) => void) {
    this.#send = send;
  }

  /** Takes an event from the main thread; events of abandoned jobs are dropped. */
  deliver(id: number, event: JobEvent): void {
    this.#listeners.get(id)?.(event);
  }

  log(level: 'debug' | 'warn' | 'error', text: string): void {
    this.#send({ kind: 'log', level, text });
  }

  /**
   * Runs a job, or calls a plugin's route. An aborted signal stops it and throws the signal's reason;
   * leaving the loop early stops it too.
   */
  async *run(job: Job | RouteCall, signal: AbortSignal): AsyncGenerator<JobEvent, void> {
    signal.throwIfAborted();
    const id = this.#next++;
    const events: JobEvent[] = [];
    let wake = (): void => undefined;
    let finished = false;
    const wakeUp = (): void => {
      wake();
    };
    this.#listeners.set(id, (event) => {
      events.push(event);
      wake();
    });
    signal.addEventListener('abort', wakeUp);
    this.#send({ kind: 'start', id, job: 'route' in job ? job : packJob(job) });
    try {
      while (!finished) {
        if (events.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        signal.throwIfAborted();
        for (const event of events.splice(0)) {
          finished = event.kind !== 'started' && event.kind !== 'piece';
          yield event;
          signal.throwIfAborted();
        }
      }
    } finally {
      signal.removeEventListener('abort', wakeUp);
      this.#listeners.delete(id);
      if (!finished) this.#send({ kind: 'abort', id });
    }
  }
}
