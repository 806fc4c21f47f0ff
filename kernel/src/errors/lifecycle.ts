// Errors about what runs: hooks, services, and calls out of order.
import { LMFlowError, messageOf, type LMFlowError as Failure } from '@lmflow/sdk';

// Who usually provides the sdk's own tokens; a plugin's own token carries its package's name.
const usualProviders: Readonly<Record<string, string>> = {
  engine: '@lmflow/plugin-engine-onnx',
  models: '@lmflow/plugin-models',
  'model-writer': '@lmflow/plugin-models',
  samples: '@lmflow/plugin-datasets',
  trainer: '@lmflow/plugin-trainer',
  'objective:language-modeling': '@lmflow/plugin-finetune',
};

/** LMFLOW_HOOK_FAILED: a tap threw something that is not an LMFlowError. */
export function hookFailed(plugin: string, hook: string, cause: unknown): LMFlowError {
  const error = new LMFlowError(
    'LMFLOW_HOOK_FAILED',
    `${plugin} failed in ${hook}: ${messageOf(cause)}`,
    { cause },
  );
  error.plugin = plugin;
  error.hook = hook;
  return error;
}

/** LMFLOW_HOOK_TAP_INVALID: a tap that the kernel does not accept. */
export function tapInvalid(plugin: string, hook: string, what: string, hint: string): LMFlowError {
  return new LMFlowError('LMFLOW_HOOK_TAP_INVALID', `${plugin} taps ${hook}: ${what}`, { hint });
}

/** LMFLOW_HOOK_INVALID: defineHook was given no hook, or a name that is taken. */
export function hookInvalid(plugin: string, hook: string, what: string): LMFlowError {
  return new LMFlowError('LMFLOW_HOOK_INVALID', `${plugin} defines the hook ${hook}: ${what}`, {
    hint: 'context.defineHook(name, new AsyncSeriesHook([...])), with a name of your own and a hook of the package tapable',
  });
}

/** LMFLOW_TOKEN_MISSING: nobody provides a service. */
export function tokenMissing(name: string, askedBy: string): LMFlowError {
  const provider = usualProviders[name] ?? /^(?:@[\w-]+\/)?[\w-]+(?=[:/#])/.exec(name)?.[0];
  return new LMFlowError(
    'LMFLOW_TOKEN_MISSING',
    `no loaded plugin provides "${name}", which ${askedBy} needs`,
    {
      hint:
        provider === undefined
          ? 'load the plugin that provides it'
          : `it usually comes from ${provider}: npm install ${provider} and list it in plugins, or use a preset that has it`,
    },
  );
}

/** LMFLOW_TOKEN_DUPLICATE: two plugins provide one service. */
export function tokenDuplicate(name: string, first: string, second: string): LMFlowError {
  return new LMFlowError(
    'LMFLOW_TOKEN_DUPLICATE',
    `"${name}" is provided by both ${first} and ${second}`,
    { hint: 'load only one of the two' },
  );
}

/** LMFLOW_TOKEN_CYCLE: services need each other while they are made. */
export function tokenCycle(names: readonly string[]): LMFlowError {
  return new LMFlowError(
    'LMFLOW_TOKEN_CYCLE',
    `services need each other while they are made: ${names.join(' -> ')}`,
    {
      hint: 'resolve one of them later, inside the method that uses it',
    },
  );
}

/** LMFLOW_LIFECYCLE: a call out of order. */
export function outOfOrder(call: string, state: string, hint: string): LMFlowError {
  return new LMFlowError('LMFLOW_LIFECYCLE', `${call} was called while the kernel is ${state}`, {
    hint,
  });
}

/** LMFLOW_KERNEL_FROZEN: a plugin wants to add something after apply(). */
export function frozen(call: string, plugin: string): LMFlowError {
  return new LMFlowError(
    'LMFLOW_KERNEL_FROZEN',
    `${plugin}: ${call} after the kernel was configured`,
    {
      hint: 'tap hooks, provide services and add commands in apply(), before anything asynchronous',
    },
  );
}

/** LMFLOW_CLOSE_FAILED: closing went on to its end, but some of it failed. */
export function closeFailed(failures: readonly unknown[]): Failure {
  const lines = failures.map(messageOf);
  return new LMFlowError(
    'LMFLOW_CLOSE_FAILED',
    lines.length === 1
      ? `closing failed: ${lines[0]}`
      : `closing failed in ${lines.length} places:\n${lines.map((line) => `  - ${line}`).join('\n')}`,
    {
      cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
    },
  );
}
