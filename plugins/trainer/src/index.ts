// The training loop of every method, with optimizers and schedules as tables that plugins add rows
// to.
import { definePlugin, ENGINE, TRAINER } from '@lmflow/sdk';
import { chosenOptimizer } from './optimizer.ts';
import { OPTIMIZERS, optimizers } from './optimizers.ts';
import { trainerAliases, trainerOptions, type TrainerInput } from './options.ts';
import { chosenSchedule, SCHEDULES, schedules } from './schedules.ts';
import { LoopTrainer } from './trainer.ts';
import { unsupportedOptions } from './refused-options.ts';
import manifest from '../package.json' with { type: 'json' };

export { OPTIMIZERS, adamw, sgd } from './optimizers.ts';
export type {
  ArgumentRange,
  Optimizer,
  OptimizerArguments,
  UpdateFacts,
  UpdateValues,
} from './optimizer.ts';
export { SCHEDULES, type Schedule, type ScheduleState } from './schedules.ts';
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
  options: {
    schema: trainerOptions,
    aliases: trainerAliases,
    unsupported: unsupportedOptions,
    alternatives: [['warmupSteps', 'warmupRatio']],
  },
  apply(context) {
    context.provide(OPTIMIZERS, optimizers);
    context.provide(SCHEDULES, schedules);
    // Before the data is read and tokenized, which may take long.
    context.hooks.onModelLoad.tap('check', (_model, { purpose }) => {
      if (purpose !== 'training') return;
      const { options } = context;
      chosenOptimizer(context.resolve(OPTIMIZERS), options);
      chosenSchedule(context.resolve(SCHEDULES), {
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
          optimizers: resolve(OPTIMIZERS),
          schedules: resolve(SCHEDULES),
        }),
    );
  },
});

export default trainer;
