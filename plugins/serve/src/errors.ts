// The errors of the serve command, one builder each. What goes to HTTP clients is in http/failure.ts.
import { LMFlowError } from '@lmflow/sdk';

export function modelMissing(): LMFlowError {
  return new LMFlowError('LMFLOW_SETTING_MISSING', 'serve needs a model: "model" is not set', { hint: "Say --model out/my-model, or model: 'out/my-model' in lmflow.config.ts." });
}

export function cannotListen(host: string, port: number, why: string): LMFlowError {
  return new LMFlowError('LMFLOW_SERVE_LISTEN', `cannot listen on ${host}:${port}: ${why}`, { hint: 'Choose another serve.port (0 takes any free one) or serve.host.' });
}

export function threadEnded(why: string, cause?: unknown): LMFlowError {
  return new LMFlowError('LMFLOW_SERVE_THREAD', `the HTTP thread ended: ${why}`, { cause });
}
