// Rows of `unsupported`: the reason of a refused name, and whether a value asks for what happens
// anyway. Which names are refused is in the plugins.
import { isDeepStrictEqual } from 'node:util';
import type { Refusal } from '@lmflow/sdk';
import type { KeyTable } from './keys.ts';

/** Why the name is refused. */
export function reasonOf(refusal: Refusal): string {
  return typeof refusal === 'string' ? refusal : refusal.reason;
}

/** Whether the value may stand, without effect, under the refused name. */
export function isAccepted(refusal: Refusal, value: unknown, { groups }: KeyTable): boolean {
  if (typeof refusal === 'string') return false;
  const { accepts, unless = [] } = refusal;
  return (
    accepts.some((accepted) => isDeepStrictEqual(accepted, value)) &&
    !groups.some(({ section }) => section !== undefined && unless.includes(section))
  );
}
