// How a value of adapter_config.json looks in a message.

/** A value as JSON; of a long one the beginning. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}
