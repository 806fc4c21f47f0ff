// The HTTP thread's side of the jobs: starts them on the main thread and gives their events as they
// come.
import type { Job, JobEvent, RouteCall, ToMain } from '../thread-messages.ts';

export class MainLink {
  readonly #say: (message: ToMain) => void;
  readonly #listeners = new Map<number, (event: JobEvent) => void>();
  #next = 1;

  constructor(say: (message: ToMain) => void) {
    this.#say = say;
  }

  /** An event from the main thread. Those of a job that was left are dropped. */
  deliver(id: number, event: JobEvent): void {
    this.#listeners.get(id)?.(event);
  }

  log(level: 'debug' | 'warn' | 'error', text: string): void {
    this.#say({ kind: 'log', level, text });
  }

  /**
   * Runs a job, or calls a plugin's route. Throws the signal's reason when it is aborted, which stops the generation; leaving
   * the loop early stops it too.
   */
  async *run(job: Job | RouteCall, signal: AbortSignal): AsyncGenerator<JobEvent, void> {
    signal.throwIfAborted();
    const id = this.#next++;
    const events: JobEvent[] = [];
    let wake = (): void => undefined;
    let finished = false;
    const woken = (): void => {
      wake();
    };
    this.#listeners.set(id, (event) => {
      events.push(event);
      wake();
    });
    signal.addEventListener('abort', woken);
    this.#say({ kind: 'start', id, job });
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
      signal.removeEventListener('abort', woken);
      this.#listeners.delete(id);
      if (!finished) this.#say({ kind: 'abort', id });
    }
  }
}
