// One side of the benchmark as a child process that answers JSON lines, so that two sides can take
// turns.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Ready {
  readonly load_seconds: number;
  readonly trainable: number;
}
export interface StepReport {
  readonly seconds: number;
  readonly loss: number;
  readonly peak_rss_bytes: number;
}

export class Side {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #started = performance.now();

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Waits until the model is loaded. */
  ready(): Promise<Ready> {
    return this.#answer<Ready>('ready');
  }

  step(): Promise<StepReport> {
    return this.ask<StepReport>('step', 'seconds');
  }

  /** Gives a command and waits for the line that has `key`. */
  ask<T>(command: string, key: string): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify({ command })}\n`);
    return this.#answer<T>(key);
  }

  /** Seconds since the process was started. */
  age(): number {
    return (performance.now() - this.#started) / 1000;
  }

  close(): void {
    this.#child.kill();
  }

  async #answer<T>(key: string): Promise<T> {
    for (;;) {
      const { value, done } = (await this.#lines.next()) as IteratorResult<string, undefined>;
      if (done) throw new Error('a side of the benchmark ended early; its messages are above');
      if (!value.startsWith('{')) continue;
      const line = JSON.parse(value) as Record<string, unknown>;
      if (key in line) return line as T;
    }
  }
}
