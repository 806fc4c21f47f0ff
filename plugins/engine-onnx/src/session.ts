// One session of the runtime: made from a model and options, run, released. The only file that
// knows the runtime's options, so that another binding of the same library could take its place.
import type { Runtime, RuntimeSession, SessionOptions } from './runtime.ts';

/** How ONNX Runtime is to run one program. */
export interface SessionSettings {
  readonly device: string;
  readonly threads: number;
  readonly graphOptimization: 'disabled' | 'basic' | 'extended' | 'all';
  readonly prepack: boolean;
  readonly arena: boolean;
  readonly memoryPattern: boolean;
  readonly logLevel: 'verbose' | 'info' | 'warning' | 'error' | 'fatal';
  /**
   * Leave the Casts of 16-bit weights in the program, one for each use: neither folded into private
   * float32 copies nor merged, at any level.
   */
  readonly keepCasts: boolean;
  /**
   * Runs follow one another: threads spin for half a millisecond, the time between two steps of
   * decoding, before they sleep.
   */
  readonly repeated: boolean;
  /** What locations of weights are relative to. */
  readonly externalFolder: string;
  /** Prefix of the profile the runtime writes; none is written without it. */
  readonly profile?: string;
  /** Leave outputs in the device's memory (webgpu). */
  readonly keepOnDevice: boolean;
}

const SEVERITY = { verbose: 0, info: 1, warning: 2, error: 3, fatal: 4 } as const;

/** Makes a session. */
export function createSession(
  runtime: Runtime,
  model: Uint8Array,
  settings: SessionSettings,
): Promise<RuntimeSession> {
  return runtime.InferenceSession.create(model, sessionOptions(settings));
}

function sessionOptions(settings: SessionSettings): SessionOptions {
  const { device, profile } = settings;
  return {
    executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
    intraOpNumThreads: settings.threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: settings.graphOptimization,
    enableCpuMemArena: settings.arena,
    enableMemPattern: settings.memoryPattern,
    executionMode: 'sequential',
    logSeverityLevel: SEVERITY[settings.logLevel],
    ...(profile ? { enableProfiling: true, profileFilePrefix: profile } : {}),
    ...(settings.keepOnDevice && device === 'webgpu'
      ? { preferredOutputLocation: 'gpu-buffer' }
      : {}),
    extra: extraOptions(settings),
  };
}

function extraOptions({
  prepack,
  keepCasts,
  externalFolder,
  repeated,
}: SessionSettings): Record<string, unknown> {
  return {
    session: {
      disable_prepacking: prepack ? '0' : '1',
      // each session has threads of its own, which wait for work by spinning, for a second or so:
      // those of one that has nothing to do slow all others down
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
