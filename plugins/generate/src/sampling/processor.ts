// What plugins do to logits before a token is chosen: the hook onLogits, for one request. The
// built-in rules are in rules.ts and come first.
import type { LogitsContext, SyncHook } from '@lmflow/sdk';
import { noTokenLeft } from '../errors.ts';
import { argmax } from './filters.ts';

/** Changes the logits of the token after `ids`, in place; `index` is the sequence's. */
export type LogitsProcessor = (logits: Float64Array, ids: readonly number[], index: number) => void;

/**
 * Asks the listeners of onLogits; undefined where there are none. The processor throws what a
 * listener throws, and LMFLOW_GENERATE_NO_TOKEN where none is left to choose.
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
