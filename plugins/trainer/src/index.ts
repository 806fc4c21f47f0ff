// The training loop of every method. Optimizers and schedules are other plugins' rows.
import { definePlugin, ENGINE, OPTIMIZERS, SCHEDULES, TRAINER } from '@lmflow/sdk';
import { chosenSchedule } from './loop/learning-rate.ts';
import { trainerAliases, trainerOptions, type TrainerInput } from './options.ts';
import { LoopTrainer } from './trainer.ts';
import { chosenOptimizer, optimizersByName } from './update/optimizer-arguments.ts';
import { refusedOptions } from './refused-options.ts';
import manifest from '../package.json' with { type: 'json' };

export { trainerOptions, type TrainerInput, type TrainerOptions } from './options.ts';

const name = '@lmflow/plugin-trainer';

declare module '@lmflow/sdk' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- merges the training arguments in as flat keys
  interface ConfigSections extends TrainerInput {}
}

/** The plugin; `trainer({ learningRate: 1e-4 })`. */
const trainer = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-optimizers'],
  options: {
    schema: trainerOptions,
    aliases: trainerAliases,
    unsupported: refusedOptions,
    alternatives: [['warmupSteps', 'warmupRatio']],
  },
  apply(context) {
    // Before the data is read and tokenized, which may take long.
    context.hooks.onModelLoad.tap('check', (_model, { purpose }) => {
      if (purpose !== 'training') return;
      const { options } = context;
      chosenOptimizer(optimizersByName(context.rows(OPTIMIZERS)), options);
      chosenSchedule(context.rows(SCHEDULES), {
        name: options.lrSchedulerType,
        given: options.lrSchedulerKwargs,
      });
    });
    context.provide(
      TRAINER,
      (resolve) =>
        new LoopTrainer({
          options: context.options,
          config: context.config,
          hooks: context.hooks,
          log: context.log,
          version: manifest.version,
          engine: resolve(ENGINE),
          optimizers: optimizersByName(context.rows(OPTIMIZERS)),
          schedules: context.rows(SCHEDULES),
        }),
    );
  },
});

export default trainer;
