// The errors of the serve command, one builder each. What goes to HTTP clients is in
// http/failure.ts.
import { type LMFlowError, usageError, failureError } from '@lmflow/sdk';

/** `lmflow serve` without a model. */
export function modelMissing(): LMFlowError {
  return usageError('LMFLOW_SERVE_MODEL_MISSING', 'serve needs a model: "model" is not set', {
    hint: "Say --model out/my-model, or model: 'out/my-model' in lmflow.config.ts.",
  });
}

/** An adapter is called as the model is. */
export function nameTaken(name: string): LMFlowError {
  return usageError(
    'LMFLOW_SERVE_NAME_TAKEN',
    `an adapter and the model are both called "${name}"`,
    { hint: 'Give the model another name with serve.modelName, or the adapter in lora.adapters.' },
  );
}

/** A plugin's request setting is called as a parameter of the API is. */
export function settingNameTaken(name: string): LMFlowError {
  return usageError(
    'LMFLOW_SERVE_SETTING_NAME',
    `the request setting "${name}" of a plugin has the name of a parameter of the API`,
    { hint: 'Rename the row that the plugin contributes to REQUEST_SETTINGS.' },
  );
}

/** A plugin's route has a name that is no path. */
export function routeInvalid(name: string): LMFlowError {
  return usageError('LMFLOW_SERVE_ROUTE_INVALID', `a plugin's route is called "${name}"`, {
    hint: 'Write words of lower-case letters, digits and dashes, with slashes between them.',
  });
}

/** The address is taken, not ours, or not allowed. */
export function cannotListen(host: string, port: number, why: string): LMFlowError {
  return failureError('LMFLOW_SERVE_LISTEN', `cannot listen on ${host}:${port}: ${why}`, {
    hint: 'Choose another serve.port (0 takes any free one) or serve.host.',
  });
}

/** The thread that speaks HTTP ended without being asked to. */
export function threadEnded(why: string, cause?: unknown): LMFlowError {
  return failureError('LMFLOW_SERVE_THREAD', `the HTTP thread ended: ${why}`, { cause });
}
