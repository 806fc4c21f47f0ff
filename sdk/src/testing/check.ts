// A named check, which any test runner can run.

/** One test of a suite: `for (const { name, run } of testEngine(engine)) test(name, run)`. */
export interface Check {
  readonly name: string;
  /** Rejects where the check fails. */
  readonly run: () => Promise<void>;
}

/** Throws where a claim does not hold; `message` says what is wrong. */
export function claim(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

/** What a promise is rejected with; throws where it is not. */
export async function rejection(what: string, work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: nothing was thrown`);
}
