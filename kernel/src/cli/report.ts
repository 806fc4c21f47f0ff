// How an error looks in the terminal: code, message and hint; a stack only where it is a bug, or
// with --verbose.
import { inspect, styleText } from 'node:util';
import { isLMFlowError, messageOf } from '@lmflow/sdk';
import type { Output } from '../logger.ts';

export interface ReportOptions {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
}

/** Writes an error to `stream` (stderr). */
export function reportError(
  error: unknown,
  stream: Output,
  { json, verbose, color }: ReportOptions,
): void {
  const paint = (style: 'red' | 'dim', text: string): string =>
    color ? styleText(style, text, { validateStream: false }) : text;
  if (isLMFlowError(error)) {
    const { code, kind, message, hint, plugin, hook } = error;
    if (json) {
      const event = { type: 'error', kind, code, message, hint, plugin, hook };
      stream.write(`${JSON.stringify(verbose ? { ...event, stack: error.stack } : event)}\n`);
    } else {
      const where =
        plugin !== undefined && !message.includes(plugin) ? ` (${plugin}, ${hook})` : '';
      stream.write(`${paint('red', `error ${code}:`)} ${message}${where}\n`);
      if (hint !== undefined) stream.write(`  ${hint.replaceAll('\n', '\n  ')}\n`);
      if (verbose) stream.write(`${paint('dim', inspect(error))}\n`);
      else if (
        error.cause instanceof Error &&
        !isLMFlowError(error.cause) &&
        error.cause.name !== 'AggregateError'
      ) {
        stream.write(`${paint('dim', '  --verbose shows the stack')}\n`);
      }
    }
    return;
  }
  if (json) {
    const stack = error instanceof Error ? error.stack : undefined;
    const event = { type: 'error', code: null, message: messageOf(error), stack };
    stream.write(`${JSON.stringify(event)}\n`);
  } else {
    stream.write(
      `${paint('red', 'unexpected error')}, which is a bug in lmflow or in a plugin. ` +
        `Please report it with these lines:\n${inspect(error)}\n`,
    );
  }
}
