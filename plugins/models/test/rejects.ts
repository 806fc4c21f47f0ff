// Expecting an error of ours: its code, its message, and that nothing of our own stack is in the
// message.
import * as assert from 'uvu/assert';
import type { LMFlowError } from '@lmflow/sdk';

export async function rejects(
  promise: Promise<unknown>,
  code: string | undefined,
  message: RegExp,
): Promise<LMFlowError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, Error, 'nothing was thrown');
  const { code: found, message: text } = error as LMFlowError;
  if (code !== undefined) assert.is(found, code, `${String(found)}: ${text}`);
  assert.match(text, message);
  assert.not.match(text, /\n\s+at |undefined|\[object/);
  return error as LMFlowError;
}
