// Layerwise importance sampling (Pan et al. 2024): full finetuning in which only a few sampled
// blocks train at a time, beside embeddings, final norm and head.
import { definePlugin, type Checkpoint } from '@lmflow/sdk';
import { declareMethod, type Model, type Parameter } from '@lmflow/sdk/model';
import { z } from 'zod';
import { activate, blocksOf, chosenBlocks } from './blocks.ts';
import { nothingToSample, settingsChanged, tooManyLayers } from './errors.ts';
import manifest from '../package.json' with { type: 'json' };

const name = '@lmflow/plugin-lisa';
const FILE = 'lisa.json';
const DEFAULT_SEED = 42;

export const lisaOptions = z.object({
  layers: z.int().min(1).default(2).describe('Blocks that train at a time.'),
  interval: z
    .int()
    .min(1)
    .default(20)
    .describe('Optimizer steps after which other blocks are drawn.'),
});

declare module '@lmflow/sdk' {
  interface ConfigSections {
    lisa?: z.input<typeof lisaOptions> | true;
  }
}

const lisa = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-finetune'],
  options: {
    section: 'lisa',
    schema: lisaOptions,
    aliases: { activatedLayers: 'layers', intervalSteps: 'interval' },
  },
  apply(context) {
    const { hooks } = context;
    const sampled = new WeakMap<Model, readonly (readonly Parameter[])[]>();
    const choose = (blocks: readonly (readonly Parameter[])[], step: number): number[] => {
      const chosen = chosenBlocks(
        context.config.seed ?? DEFAULT_SEED,
        step,
        blocks.length,
        context.options,
      );
      activate(blocks, chosen);
      return chosen;
    };

    // After finetune, which declares the parameters: the plan before the first step counts the
    // active ones.
    hooks.onModelLoad.tap('parameters', (model, { purpose, role }) => {
      if (purpose !== 'training' || role !== 'policy') return;
      const blocks = blocksOf(model);
      if (model.adapter || blocks.some(({ length }) => length === 0)) {
        throw nothingToSample(model.adapter?.name);
      }
      if (context.options.layers > blocks.length) {
        throw tooManyLayers(context.options.layers, blocks.length);
      }
      const { layers } = context.options;
      declareMethod(model, {
        plugin: name,
        name: `LISA (${layers} of ${blocks.length} blocks at a time)`,
        refines: '@lmflow/plugin-finetune',
      });
      sampled.set(model, blocks);
      choose(blocks, 1);
    });

    let logged: string | undefined;
    hooks.onStepStart.tap(({ model, number }) => {
      const blocks = sampled.get(model);
      if (!blocks) return;
      const chosen = choose(blocks, number).join(', ');
      if (chosen !== logged) {
        context.log.debug(
          `step ${number}: training block${context.options.layers === 1 ? '' : 's'} ${chosen} of ${blocks.length}`,
        );
      }
      logged = chosen;
    });

    hooks.onSave.tap(async (checkpoint) => {
      if (checkpoint.kind === 'checkpoint' && sampled.has(checkpoint.model)) {
        await checkpoint.writeJson(FILE, { ...context.options });
      }
    });

    hooks.onRestore.tap(async (checkpoint) => {
      if (!sampled.has(checkpoint.model) || context.config.allowConfigChange === true) return;
      await compareSettings(checkpoint, context.options);
    });
  },
});

/** Throws where the checkpoint was made with other settings. */
async function compareSettings(
  checkpoint: Checkpoint,
  options: z.output<typeof lisaOptions>,
): Promise<void> {
  const saved = (await checkpoint.readJson(FILE)) as Readonly<Record<string, unknown>> | undefined;
  const changes = Object.entries(options)
    .filter(([key, value]) => saved?.[key] !== value)
    .map(([key, value]) => `${key}: ${JSON.stringify(saved?.[key]) ?? 'not set'} -> ${value}`);
  if (changes.length > 0) throw settingsChanged(checkpoint.directory, changes);
}

export default lisa;
