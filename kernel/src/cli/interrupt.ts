// Ctrl-C and SIGTERM: the first asks the command to save and end, the second ends the process at
// once.
import type { Logger } from '@lmflow/sdk';
import { ExitCode } from '../exitcodes.ts';

export interface Interrupt {
  readonly signal: AbortSignal;
  /** 130 or 143 once interrupted. */
  exitCode(): number | undefined;
  /** Takes the listeners off. */
  stop(): void;
}

/** Listens until `stop()`. */
export function listenForInterrupt(log: Logger): Interrupt {
  const controller = new AbortController();
  let code: number | undefined;
  const listener = (name: NodeJS.Signals): void => {
    const received = name === 'SIGTERM' ? ExitCode.Terminated : ExitCode.Interrupted;
    if (code !== undefined) process.exit(received);
    code = received;
    log.warn('ending after the work in progress is finished or saved; Ctrl-C again ends at once');
    controller.abort(new DOMException('interrupted', 'AbortError'));
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return {
    signal: controller.signal,
    exitCode: () => code,
    stop: () => {
      process.off('SIGINT', listener);
      process.off('SIGTERM', listener);
    },
  };
}
