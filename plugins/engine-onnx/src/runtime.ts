// Loads onnxruntime-node, at first use only. Not a session: see session.ts.
import type * as Ort from 'onnxruntime-node';
import { runtimeMissing } from './errors.ts';

// Since 1.29 the runtime collects telemetry by default. Nobody who uses this package asked for
// that; it must be off before the library loads.
process.env['ORT_DISABLE_TELEMETRY'] = '1';

/** The module onnxruntime-node. */
export type Runtime = typeof Ort;
/** A tensor of ONNX Runtime, in memory or on a device. */
export type RuntimeTensor = Ort.Tensor;
/** A loaded model of ONNX Runtime. */
export type RuntimeSession = Ort.InferenceSession;
/** The settings that ONNX Runtime takes for a session. */
export type SessionOptions = Ort.InferenceSession.SessionOptions;

/** Where the runtime would be loaded from, for a process of its own. */
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
    runtime.env.logLevel = 'fatal'; // of what belongs to no session; failures come back as errors
    return runtime;
  } catch (error) {
    loading = undefined;
    throw runtimeMissing(error);
  }
}
