// Makes a session of the runtime from a model and its config. No other file knows the runtime's
// options, so that another binding of the library can replace it.
import type { Runtime, RuntimeSession, SessionOptions } from './runtime.ts';

/** How ONNX Runtime runs a program. */
export interface SessionConfig {
  readonly device: string;
  readonly threads: number;
  readonly graphOptimization: 'disabled' | 'basic' | 'extended' | 'all';
  readonly prepack: boolean;
  readonly arena: boolean;
  readonly memoryPattern: boolean;
  readonly logLevel: 'verbose' | 'info' | 'warning' | 'error' | 'fatal';
  /** Keep one Cast per use of a 16-bit weight: neither folded into float32 copies nor merged. */
  readonly keepCasts: boolean;
  /** Runs follow each other closely: threads spin for half a millisecond before they sleep. */
  readonly repeated: boolean;
  /** The folder that locations of weights are relative to. */
  readonly externalFolder: string;
  /** Prefix of the runtime's profile; without it none is written. */
  readonly profile?: string;
  /** Leave outputs in the device's memory (webgpu). */
  readonly keepOnDevice: boolean;
}

const SEVERITY = { verbose: 0, info: 1, warning: 2, error: 3, fatal: 4 } as const;

/** Makes a session. */
export function createSession(
  runtime: Runtime,
  model: Uint8Array,
  config: SessionConfig,
): Promise<RuntimeSession> {
  return runtime.InferenceSession.create(model, sessionOptions(config));
}

function sessionOptions(config: SessionConfig): SessionOptions {
  const { device, profile } = config;
  return {
    executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
    intraOpNumThreads: config.threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: config.graphOptimization,
    enableCpuMemArena: config.arena,
    enableMemPattern: config.memoryPattern,
    executionMode: 'sequential',
    logSeverityLevel: SEVERITY[config.logLevel],
    ...(profile ? { enableProfiling: true, profileFilePrefix: profile } : {}),
    ...(config.keepOnDevice && device === 'webgpu'
      ? { preferredOutputLocation: 'gpu-buffer' }
      : {}),
    extra: extraOptions(config),
  };
}

function extraOptions({
  prepack,
  keepCasts,
  externalFolder,
  repeated,
}: SessionConfig): Record<string, unknown> {
  return {
    session: {
      disable_prepacking: prepack ? '0' : '1',
      // each session has its own threads, which wait for work by spinning for about a second, so that
      // those of an idle session slow the others down
      force_spinning_stop: repeated ? '0' : '1',
      ...(repeated ? { intra_op: { spin_duration_us: '500' } } : {}),
      model_external_initializers_file_folder_path: externalFolder,
    },
    ...(keepCasts
      ? {
          optimization: {
            disable_specified_optimizers: 'ConstantFolding;CommonSubexpressionElimination',
          },
        }
      : {}),
  };
}
