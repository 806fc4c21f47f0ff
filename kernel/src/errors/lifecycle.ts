// Errors about what runs: hooks, services, and calls out of order.
import {
  isLMFlowError,
  messageOf,
  type Token,
  type LMFlowError,
  failureError,
  usageError,
} from '@lmflow/sdk';
import type { RunningTap } from '../hook.ts';
import { listed } from './shown.ts';

/** LMFLOW_HOOK_FAILED: a tap threw something that is not an LMFlowError. */
function hookFailed(plugin: string, hook: string, cause: unknown): LMFlowError {
  const error = failureError(
    'LMFLOW_HOOK_FAILED',
    `${plugin} failed in ${hook}: ${messageOf(cause)}`,
    { cause },
  );
  error.plugin = plugin;
  error.hook = hook;
  return error;
}

/**
 * What a tap threw, with plugin and hook. An LMFlowError already says what happened and an abort is
 * no failure, so neither is wrapped. The innermost hook counts.
 */
export function attributed(error: unknown, plugin: string, hook: string): unknown {
  if (error instanceof Error && error.name === 'AbortError') return error;
  if (!isLMFlowError(error)) return hookFailed(plugin, hook, error);
  error.plugin ??= plugin;
  error.hook ??= hook;
  return error;
}

/** LMFLOW_HOOK_TAP_INVALID: a tap that the kernel does not accept. */
export function tapInvalid(plugin: string, hook: string, what: string, hint: string): LMFlowError {
  return failureError('LMFLOW_HOOK_TAP_INVALID', `${plugin} taps ${hook}: ${what}`, { hint });
}

/** LMFLOW_HOOK_INVALID: defineHook was given no hook, or a name that is taken. */
export function hookInvalid(plugin: string, hook: string, what: string): LMFlowError {
  return failureError('LMFLOW_HOOK_INVALID', `${plugin} defines the hook ${hook}: ${what}`, {
    hint: "Write context.defineHook('onMine', 'series'), with a name that no other hook has.",
  });
}

/** LMFLOW_TOKEN_MISSING: nobody provides a service. */
export function tokenMissing({ name, usuallyFrom }: Token<unknown>, askedBy: string): LMFlowError {
  // a plugin's own token carries its package's name
  const provider = usuallyFrom ?? /^(?:@[\w-]+\/)?[\w-]+(?=[:/#])/.exec(name)?.[0];
  return usageError(
    'LMFLOW_TOKEN_MISSING',
    `no loaded plugin provides "${name}", which ${askedBy} needs`,
    {
      hint:
        provider === undefined
          ? 'Load the plugin that provides it.'
          : `Run npm install ${provider} and list it in plugins, or use a preset that has it.`,
    },
  );
}

/** LMFLOW_TOKEN_DUPLICATE: two plugins provide one service. */
export function tokenDuplicate(name: string, first: string, second: string): LMFlowError {
  return usageError(
    'LMFLOW_TOKEN_DUPLICATE',
    `"${name}" is provided by both ${first} and ${second}`,
    { hint: 'Load only one of the two.' },
  );
}

/** LMFLOW_SERVICE_FAILED: the factory of a service threw something that is not an LMFlowError. */
export function serviceFailed(name: string, plugin: string, cause: unknown): LMFlowError {
  const error = failureError(
    'LMFLOW_SERVICE_FAILED',
    `${plugin} failed to make the service "${name}": ${messageOf(cause)}`,
    { cause },
  );
  error.plugin = plugin;
  return error;
}

/** LMFLOW_HOOK_STUCK: nothing is left that could settle what a plugin waits for. */
export function hookStuck(taps: readonly RunningTap[], command: string): LMFlowError {
  const where = taps.map(({ plugin, hook }) => `${plugin} in ${hook}`);
  return failureError(
    'LMFLOW_HOOK_STUCK',
    where.length === 0
      ? `${command} waits for a promise that never settles`
      : `${command} waits for ${listed(where)}: the promise never settles`,
    { hint: 'Report it to the author of the plugin.' },
  );
}

/** LMFLOW_CLOSE_TIMEOUT: a tap of onClose took too long. */
export function closeTimeout(plugin: string, seconds: number): LMFlowError {
  return failureError(
    'LMFLOW_CLOSE_TIMEOUT',
    `${plugin} did not finish its work in onClose within ${seconds} seconds`,
    { hint: 'Report it to the author of the plugin.' },
  );
}

/** LMFLOW_ROW_DUPLICATE: two plugins add rows of one name to a table. */
export function rowDuplicate(
  what: string,
  name: string,
  first: string,
  second: string,
): LMFlowError {
  return usageError(
    'LMFLOW_ROW_DUPLICATE',
    `the ${what} "${name}" is contributed by both ${first} and ${second}`,
    { hint: 'Load only one of the two, or give the row another name.' },
  );
}

/** LMFLOW_ENGINE_UNKNOWN: the key `engine` names no engine that is loaded. */
export function engineUnknown(engine: string, known: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_ENGINE_UNKNOWN',
    `no loaded plugin has the engine "${engine}" (loaded: ${known.join(', ') || 'none'})`,
    { hint: `Load the plugin that has it, for example @lmflow/plugin-engine-${engine}.` },
  );
}

/** LMFLOW_TOKEN_CYCLE: services need each other while they are made. */
export function tokenCycle(names: readonly string[]): LMFlowError {
  return usageError(
    'LMFLOW_TOKEN_CYCLE',
    `services need each other while they are made: ${names.join(' -> ')}`,
    {
      hint: 'Resolve one of them later, inside the method that uses it.',
    },
  );
}

/** LMFLOW_LIFECYCLE: a call out of order. */
export function outOfOrder(call: string, state: string, hint: string): LMFlowError {
  return failureError('LMFLOW_LIFECYCLE', `${call} was called while the kernel is ${state}`, {
    hint,
  });
}

/** LMFLOW_KERNEL_FROZEN: a plugin adds something after apply(). */
export function frozen(call: string, plugin: string): LMFlowError {
  return failureError(
    'LMFLOW_KERNEL_FROZEN',
    `${plugin}: ${call} came after the kernel was configured`,
    {
      hint: 'Tap hooks, provide services and add commands in apply(), before anything asynchronous.',
    },
  );
}

/** LMFLOW_CLOSE_FAILED: everything was closed or disposed, but some of it failed. */
export function closeFailed(failures: readonly unknown[]): LMFlowError {
  const lines = failures.map(messageOf);
  return failureError(
    'LMFLOW_CLOSE_FAILED',
    lines.length === 1
      ? `closing failed: ${lines[0]}`
      : `closing failed in ${lines.length} places:\n${lines.map((line) => `  - ${line}`).join('\n')}`,
    {
      cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
    },
  );
}
