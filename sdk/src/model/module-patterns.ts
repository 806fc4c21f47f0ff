// Regular expressions that name modules of a model, from options and from files of others. They
// run within a time limit: an expression can backtrack for longer than anyone waits. Not by an
// engine without backtracking (re2js): PEFT's users write lookaheads.
import { createContext, Script } from 'node:vm';
import { messageOf } from '../errors.ts';
import { expressionTooSlow } from './errors.ts';

/** Time for all expressions of an option or a key on all names, in milliseconds. */
const LIMIT = 500;

/** Where an expression stands, for messages. */
export interface ExpressionPlace {
  /** An option, or a key of the file. */
  readonly key: string;
  /** Absent: the user's configuration. */
  readonly file?: string | undefined;
}

/** What an expression found: the text and its groups; undefined where it found nothing. */
export type ExpressionMatch = readonly (string | undefined)[] | undefined;

const run = new Script(`
  state.found = state.sources.map((source) => {
    state.running = source;
    const expression = new RegExp(source);
    return state.names.map((name) => expression.exec(name) ?? undefined);
  });
`);

/**
 * What each expression finds in each name. Throws a SyntaxError for what is no expression, and
 * LMFLOW_EXPRESSION_TOO_SLOW after half a second.
 */
export function matchExpressions(
  sources: readonly string[],
  names: readonly string[],
  { key, file }: ExpressionPlace,
): readonly (readonly ExpressionMatch[])[] {
  if (sources.length === 0) return [];
  const state = { sources, names, running: '', found: [] as ExpressionMatch[][] };
  try {
    run.runInContext(createContext({ state }), { timeout: LIMIT });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      throw expressionTooSlow({ key, file }, state.running, LIMIT);
    }
    // It is of the other context.
    throw new SyntaxError(messageOf(error), { cause: error });
  }
  return state.found;
}

/**
 * The modules among `names` that a pattern names: it is a regular expression for the whole path or
 * for its end after a dot. Throws as `matchExpressions` does.
 */
export function matchingModules(
  names: readonly string[],
  pattern: string,
  place: ExpressionPlace,
): ReadonlySet<string> {
  const [found] = matchExpressions([`^(?:.*\\.)?(?:${pattern})$`], names, place);
  return new Set(names.filter((_, index) => found![index]));
}

/** Whether a pattern is a regular expression. */
export function isModulePattern(pattern: string): boolean {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return false;
  }
}
