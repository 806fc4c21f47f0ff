// How much one rendering may do: a template is foreign code, and must end.
import { JinjaFault } from './fault.ts';

/** The bounds of one rendering. */
export interface Limits {
  /** Expressions and statements that are run. */
  readonly steps: number;
  /** Characters and list elements that are made on the way. */
  readonly made: number;
  /** Characters that are printed. */
  readonly printed: number;
  /** Macros and recursive loops inside of each other. */
  readonly depth: number;
}

/** Far above what conversations need: 100,000 messages take about ten million steps. */
export const LIMITS: Limits = {
  steps: 20_000_000,
  made: 500_000_000,
  printed: 100_000_000,
  depth: 200,
};

/** Counts what one rendering does; throws the fault `budget` at a bound. */
export class Budget {
  private readonly limits: Limits;
  private steps = 0;
  private made = 0;
  private depth = 0;

  constructor(limits: Limits = LIMITS) {
    this.limits = limits;
  }

  step(): void {
    if (++this.steps > this.limits.steps) throw exceeded('steps', this.limits.steps);
  }

  /** Before a string or list of this length is made. */
  make(length: number): void {
    this.made += length;
    if (!(this.made <= this.limits.made)) throw exceeded('characters made', this.limits.made);
  }

  /** `length` is that of everything printed so far. */
  print(length: number): void {
    if (length > this.limits.printed) throw exceeded('characters printed', this.limits.printed);
  }

  /** Runs a macro or a level of a recursive loop. */
  nested<Result>(run: () => Result): Result {
    if (++this.depth > this.limits.depth) throw exceeded('nested calls', this.limits.depth);
    try {
      return run();
    } finally {
      this.depth--;
    }
  }
}

function exceeded(what: string, limit: number): JinjaFault {
  return new JinjaFault('budget', `it exceeds ${limit.toLocaleString('en')} ${what}`);
}
