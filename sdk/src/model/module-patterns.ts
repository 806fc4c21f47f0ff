// Patterns that name modules of a model, in options of plugins.

/**
 * Whether a module path is named: a pattern is a regular expression for the whole path or for its
 * end after a dot.
 */
export function matchesModule(name: string, pattern: string): boolean {
  return new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(name);
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
