// The configuration keys that lmflow itself knows; every other key comes from a plugin.
import { z } from 'zod';
import { ENGINES, type OptionsSpec } from '@lmflow/sdk';

const datasetObject = z.record(z.string(), z.unknown());

/** The owner's name of the core keys, in messages and help. */
export const coreOwner = 'lmflow';

/** CoreConfig as a schema. */
export const coreOptions: OptionsSpec = {
  schema: z.object({
    model: z.string().min(1).optional().describe('Hugging Face folder or id of the model.'),
    dataset: z
      .union([
        z.string().min(1),
        datasetObject,
        z.array(z.union([z.string().min(1), datasetObject])).min(1),
      ])
      .optional()
      .describe('Data: a file, a folder, a Hugging Face id, an object, or a list of them.'),
    outputDir: z.string().min(1).optional().describe('Folder that results are written to.'),
    engine: z
      .string()
      .min(1)
      .optional()
      .describe('Compute engine, by name.')
      .meta({ table: ENGINES.name }),
    device: z.string().min(1).optional().describe('Device of the engine: cpu, webgpu, cuda, ...'),
    deviceCheck: z
      .boolean()
      .default(true)
      .describe('Compare a device other than the CPU with the CPU before its results are used.'),
    seed: z.int().min(0).default(42).describe('Seed of everything random.'),
  }),
  aliases: { modelNameOrPath: 'model', baseModel: 'model', datasetPath: 'dataset' },
};
