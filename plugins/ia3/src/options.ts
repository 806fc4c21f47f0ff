// The `ia3` section of the configuration: PEFT's IA3Config names in camelCase.
import { z } from 'zod';

const modules = z.union([z.string(), z.array(z.string())]);

export const ia3Options = z.object({
  targetModules: z
    .union([z.string(), z.array(z.string()).nonempty()])
    .optional()
    .describe(
      'Linears with a vector: names, a regular expression for the path, or "all-linear"; default: as PEFT, by family.',
    ),
  feedforwardModules: modules
    .optional()
    .describe(
      'Those whose input is scaled, not the output: names or a regular expression; default: as PEFT, by family.',
    ),
  excludeModules: modules
    .optional()
    .describe('Modules to leave out: a list of names, or one regular expression.'),
  adapter: z
    .string()
    .optional()
    .describe('Folder of a PEFT adapter (IA3) to use or to continue from; its modules are used.'),
});

export type Ia3Options = z.output<typeof ia3Options>;

export const aliases = { targets: 'targetModules', target: 'targetModules' };

export const unsupported = {
  modulesToSave: { reason: 'it is not part of this plugin', accepts: [null] },
  initIa3Weights: {
    reason: 'vectors begin with 1, which leaves the model as it is',
    accepts: [true],
  },
  fanInFanOut: 'it follows from the architecture',
  taskType: { reason: 'it is always CAUSAL_LM', accepts: ['CAUSAL_LM'] },
  inferenceMode: 'it follows from the command',
  peftType: { reason: 'it is always IA3', accepts: ['IA3'] },
  baseModelNameOrPath: { reason: 'it is the key model', accepts: [null] },
  revision: { reason: 'it is the key revision of the configuration itself', accepts: [null] },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    ia3?: z.input<typeof ia3Options> | true;
  }
}
