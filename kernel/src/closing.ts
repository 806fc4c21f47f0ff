// The end of a kernel: every tap of onClose in reverse order, each with a limit of time.
import { closeTimeout } from './errors.ts';
import type { HookBoard } from './hooks.ts';

/** A tap of onClose may take so long. */
const SECONDS = 30;

/** Runs the taps of onClose, the latest first; gives what failed. */
export async function closeTaps(board: HookBoard): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const { plugin, fn } of [...board.taps('onClose')].reverse()) {
    try {
      await within(SECONDS, fn(), () => closeTimeout(plugin, SECONDS));
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}

/** The promise's value, or a failure when it takes too long. */
async function within(seconds: number, promise: unknown, failure: () => Error): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    // a process that has nothing else to do ends, and says what it waited for
    timer = setTimeout(() => {
      reject(failure());
    }, seconds * 1000).unref();
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
