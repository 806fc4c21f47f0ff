// The configuration section `engineOnnx`.
import { z } from 'zod';

/** The options of the section `engineOnnx`. */
export const schema = z.object({
  threads: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Threads of one program; the number of physical cores by default.'),
  halfWeights: z
    .enum(['cached', 'cast'])
    .default('cached')
    .describe(
      'Frozen float16/bfloat16 weights: "cached" converts them once into float32 files that every program maps, "cast" converts them at every use (half the memory, slower).',
    ),
  cacheDir: z
    .string()
    .optional()
    .describe(
      'Where converted weights are kept; in the cache (LMFLOW_CACHE), folder engine-onnx, by default.',
    ),
  graphOptimization: z
    .enum(['disabled', 'basic', 'extended', 'all'])
    .default('disabled')
    .describe(
      "ONNX Runtime's own graph optimizations: programs come optimized, and these change the order of execution, which costs memory.",
    ),
  prepack: z
    .boolean()
    .default(false)
    .describe(
      'Let the runtime keep weights a second time in a layout of its own: a little faster on small batches, twice the memory.',
    ),
  arena: z
    .boolean()
    .default(true)
    .describe(
      "Keep freed memory for the next run, where a program does not ask to give it back (the trainer's do).",
    ),
  memoryPattern: z
    .boolean()
    .default(false)
    .describe(
      'Let the runtime plan the memory of a run as one block: up to 3% faster, half as much memory again.',
    ),
  keepOnDevice: z
    .boolean()
    .default(false)
    .describe('With device "webgpu": results stay in the memory of the GPU until they are read.'),
  logLevel: z
    .enum(['verbose', 'info', 'warning', 'error', 'fatal'])
    .default('fatal')
    .describe('What the runtime itself prints; its errors come back as errors anyway.'),
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
