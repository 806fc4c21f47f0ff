// Ctrl-C, SIGTERM and SIGHUP (the terminal is gone): the first signal asks the command to save and
// end, the second ends the process at once.
import type { Logger } from '@lmflow/sdk';
import { ExitCode } from '../exit-codes.ts';

const codes: Partial<Record<NodeJS.Signals, number>> = {
  SIGINT: ExitCode.Interrupted,
  SIGTERM: ExitCode.Terminated,
  SIGHUP: ExitCode.HungUp,
};
const signals = Object.keys(codes) as NodeJS.Signals[];

export interface Interrupt {
  readonly signal: AbortSignal;
  /** 130, 143 or 129 once interrupted. */
  exitCode(): number | undefined;
  /** Removes the listeners. */
  stop(): void;
}

/** Listens until `stop()`. */
export function listenForInterrupt(log: Logger): Interrupt {
  const controller = new AbortController();
  let code: number | undefined;
  const listener = (name: NodeJS.Signals): void => {
    const received = codes[name] ?? ExitCode.Interrupted;
    if (code !== undefined) process.exit(received);
    code = received;
    if (name === 'SIGHUP') surviveLostTerminal();
    log.warn('ending after the work in progress is finished or saved; Ctrl-C again ends at once');
    controller.abort(new DOMException('interrupted', 'AbortError'));
  };
  for (const name of signals) process.on(name, listener);
  return {
    signal: controller.signal,
    exitCode: () => code,
    stop: () => {
      for (const name of signals) process.off(name, listener);
    },
  };
}

/** Errors of a closed terminal must not end the process before it has saved. */
function surviveLostTerminal(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error');
    stream.on('error', () => undefined);
  }
}
