// Calls the hook onLogits for one request, after the built-in rules (rules.ts).
import type { LogitsContext, SyncHook } from '@lmflow/sdk';
import { noTokenLeft } from '../errors.ts';
import { argmax } from './filters.ts';

/** Changes the logits of the token after `ids`, in place; `index` is the sequence's. */
export type LogitsProcessor = (logits: Float64Array, ids: readonly number[], index: number) => void;

/**
 * Calls the taps of onLogits; undefined where there are none. The processor throws what a tap
 * throws, and LMFLOW_GENERATE_NO_TOKEN where the taps leave no token.
 */
export function logitsProcessor(
  hook: SyncHook<[Float64Array, LogitsContext]>,
  request: Pick<LogitsContext, 'model' | 'promptTokens' | 'settings'>,
): LogitsProcessor | undefined {
  if (!hook.tapped) return undefined;
  return (logits, ids, index) => {
    hook.call(logits, { ...request, ids, index });
    if (!(logits[argmax(logits)]! > -Infinity)) throw noTokenLeft();
  };
}
