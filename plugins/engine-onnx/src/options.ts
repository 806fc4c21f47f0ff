// The section `engineOnnx`: the options of the engine.
import { z } from 'zod';

/** The options of the section `engineOnnx`. */
export const schema = z.object({
  threads: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Threads of a program; by default the number of physical cores.'),
  halfWeights: z
    .enum(['cached', 'cast'])
    .default('cached')
    .describe(
      'Frozen 16-bit weights: "cached" converts them once to float32 files that programs map, ' +
        '"cast" converts them at every use (half the memory, slower).',
    ),
  cacheDir: z
    .string()
    .optional()
    .describe(
      'Folder of converted weights; by default the folder engine-onnx of the cache (LMFLOW_CACHE).',
    ),
  graphOptimization: z
    .enum(['disabled', 'basic', 'extended', 'all'])
    .default('disabled')
    .describe(
      "ONNX Runtime's own graph optimizations. Programs are optimized already; these change the order " +
        'of execution, which costs memory.',
    ),
  prepack: z
    .boolean()
    .default(false)
    .describe(
      "Keep a second copy of the weights in the runtime's layout: a little faster on small batches, " +
        'twice the memory.',
    ),
  arena: z
    .boolean()
    .default(true)
    .describe(
      "Keep freed memory for the next run, unless a program gives it back (the trainer's do).",
    ),
  memoryPattern: z
    .boolean()
    .default(false)
    .describe('Plan the memory of a run as one block: up to 3% faster, half as much memory again.'),
  keepOnDevice: z
    .boolean()
    .default(false)
    .describe('With device "webgpu": keep results in the memory of the GPU until they are read.'),
  logLevel: z
    .enum(['verbose', 'info', 'warning', 'error', 'fatal'])
    .default('fatal')
    .describe('What the runtime prints itself; its failures are errors anyway.'),
});

/** Options after parsing. */
export type EngineOptions = z.output<typeof schema>;
/** The section `engineOnnx` as a configuration has it, before defaults. */
export type EngineOptionsInput = z.input<typeof schema>;

declare module '@lmflow/sdk' {
  interface ConfigSections {
    engineOnnx?: EngineOptionsInput;
  }
}
