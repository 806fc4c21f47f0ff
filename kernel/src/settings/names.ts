// Spelling of keys: camelCase in a configuration, kebab-case as flags. Not with change-case: it drops
// what is no letter or digit, so that --lora.r would be --lora-r, and a/b the plugin a-b.

/**
 * `learningRate` -> `learning-rate`; snake case and upper case flags come out the same:
 * `learning_rate`, `learningRate`.
 */
export function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase();
}

/** `learning_rate` or `learning-rate` -> `learningRate`. */
export function camel(name: string): string {
  return name.replace(/[-_]+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
