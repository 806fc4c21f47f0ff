// Loads onnxruntime-node at first use. Sessions are made in session.ts.
import type * as Ort from 'onnxruntime-node';
import { runtimeMissing } from './errors.ts';

// Since 1.29 the runtime collects telemetry by default. Users of this package did not ask for it, so
// it is off before the library loads.
process.env['ORT_DISABLE_TELEMETRY'] = '1';

/** The module onnxruntime-node. */
export type Runtime = typeof Ort;
/** A tensor of ONNX Runtime, in memory or on a device. */
export type RuntimeTensor = Ort.Tensor;
/** A loaded model of ONNX Runtime. */
export type RuntimeSession = Ort.InferenceSession;
/** The settings that ONNX Runtime takes for a session. */
export type SessionOptions = Ort.InferenceSession.SessionOptions;

/** The URL of the runtime's module, for another process. */
export function runtimeUrl(): string {
  return import.meta.resolve('onnxruntime-node');
}

let loading: Promise<Runtime> | undefined;

/**
 * The runtime, loaded once per process. Throws LMFLOW_ENGINE_RUNTIME_MISSING with how to install
 * it.
 */
export function loadRuntime(): Promise<Runtime> {
  loading ??= importRuntime();
  return loading;
}

async function importRuntime(): Promise<Runtime> {
  try {
    const module = (await import('onnxruntime-node')) as Runtime & { readonly default?: Runtime };
    const runtime = module.default ?? module;
    runtime.env.logLevel = 'fatal'; // for messages outside of sessions; failures are errors anyway
    return runtime;
  } catch (error) {
    loading = undefined;
    throw runtimeMissing(error);
  }
}
