// The errors of the serve command, one function each. Errors for HTTP clients are in
// http/failures.ts.
import { type LMFlowError, usageError, failureError } from '@lmflow/sdk';

/** `lmflow serve` needs a model, and none is set. */
export function modelMissing(): LMFlowError {
  return usageError(
    'LMFLOW_SERVE_MODEL_MISSING',
    'serve needs a model, but the option model is not set',
    {
      hint: 'Add --model with a folder or a Hugging Face id, or set model in lmflow.config.ts.',
    },
  );
}

/** An adapter and the model have the same name. */
export function nameTaken(name: string): LMFlowError {
  return usageError(
    'LMFLOW_SERVE_NAME_TAKEN',
    `an adapter and the model both have the name "${name}"`,
    { hint: 'Give the model another name with serve.modelName, or the adapter in lora.adapters.' },
  );
}

/** A plugin's request setting has the name of a parameter of the API. */
export function settingNameTaken(name: string): LMFlowError {
  return usageError(
    'LMFLOW_SERVE_SETTING_NAME',
    `a plugin's request setting "${name}" has the name of a parameter of the API`,
    { hint: 'Rename the row that the plugin contributes to REQUEST_SETTINGS.' },
  );
}

/** A plugin's route has a name that is not a path. */
export function routeInvalid(name: string): LMFlowError {
  return usageError(
    'LMFLOW_SERVE_ROUTE_INVALID',
    `the name "${name}" of a plugin's route is not a path`,
    {
      hint: 'Name it with words of lower-case letters, digits and dashes, separated by slashes.',
    },
  );
}

/** The server cannot listen on its address: it is taken, foreign, or not permitted. */
export function cannotListen(host: string, port: number, why: string): LMFlowError {
  return failureError(
    'LMFLOW_SERVE_LISTEN',
    `the server cannot listen on ${host}:${port}: ${why}`,
    {
      hint: 'Choose another serve.port (0 for any free one) or serve.host.',
    },
  );
}

/** The HTTP thread ended without being asked to. */
export function threadEnded(why: string, cause?: unknown): LMFlowError {
  return failureError('LMFLOW_SERVE_THREAD', `the HTTP thread ended: ${why}`, { cause });
}
