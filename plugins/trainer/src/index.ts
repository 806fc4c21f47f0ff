// The training loop of every method. Optimizers and schedules are other plugins' rows.
import { definePlugin, ENGINE, EVALUATIONS, OPTIMIZERS, SCHEDULES, TRAINER } from '@lmflow/sdk';
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
    context.provide(TRAINER, (resolve) => {
      const { options, config, hooks, log } = context;
      const optimizers = optimizersByName(context.rows(OPTIMIZERS));
      const schedules = context.rows(SCHEDULES);
      // Commands ask for the trainer first: before the model is loaded and the data is tokenized.
      chosenOptimizer(optimizers, options);
      chosenSchedule(schedules, {
        name: options.lrSchedulerType,
        kwargs: options.lrSchedulerKwargs,
      });
      const { version } = manifest;
      const engine = resolve(ENGINE);
      return new LoopTrainer({
        options,
        config,
        hooks,
        log,
        version,
        engine,
        optimizers,
        schedules,
        evaluations: context.rows(EVALUATIONS),
      });
    });
  },
});

export default trainer;
