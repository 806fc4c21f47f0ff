// Text from a model: the service GENERATOR, plain decoding behind the hook onGenerate, and the
// commands generate and chat.
import { chatCommand } from './commands/chat.ts';
import { generateCommand } from './commands/generate.ts';
import {
  ENGINE,
  GENERATOR,
  REQUEST_SETTINGS,
  definePlugin,
  type Engine,
  type GenerateRequest,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { StepPrograms } from './decode/programs.ts';
import { StepRunner, STRETCHING } from './decode/runner.ts';
import { CachedSession } from './decode/session.ts';
import { UncachedSession } from './decode/uncached.ts';
import { nobodyDecodes } from './errors.ts';
import { Generator } from './generator.ts';
import { aliases, schema, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { generationOptions, type GenerateOptions } from './options.ts';

const name = '@lmflow/plugin-generate';

const generate = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: {
    section: 'generate',
    schema,
    aliases,
    unsupported: {
      ...unsupported,
      chatTemplate: 'set chatTemplate, outside of the section: it holds for training and inference',
    },
  },
  apply(context) {
    const { hooks, resolve } = context;
    // Their parameters, if any, never change: they are constants of the programs.
    const frozen = new WeakSet<Model>();

    hooks.onModelLoad.tap('check', (model, { purpose }) => {
      if (purpose !== 'inference') return;
      frozen.add(model);
    });

    const programsOf = sharedPrograms(() => resolve(ENGINE), frozen);
    const openRunner = ({ model, contextLength }: GenerateRequest): StepRunner =>
      new StepRunner({
        engine: resolve(ENGINE),
        model,
        contextLength,
        programs: programsOf(model),
      });

    hooks.onGenerate.tap(
      async (request) => {
        const runner = openRunner(request);
        if (!context.options.useCache) return new UncachedSession(runner);
        return new CachedSession(
          runner,
          STRETCHING.includes(request.model.architecture.rope?.scaling.type ?? ''),
        );
      },
      { enforce: 'post' },
    );

    context.command(generateCommand(context));
    context.command(chatCommand(context));

    context.provide(GENERATOR, () => {
      const { maxBatchSize, contextLength, useCache: _useCache, ...defaults } = context.options;
      return new Generator({
        maxBatchSize,
        contextLength,
        defaults,
        openRunner,
        onLogits: hooks.onLogits,
        requestSettings: context.rows(REQUEST_SETTINGS),
        log: context.log,
        open: async (request) => {
          const session = await hooks.onGenerate.promise(request);
          if (!session) throw nobodyDecodes();
          return session;
        },
      });
    });
  },
});

/** Views with adapters of one shape have the same programs: their parameters are fed. */
function sharedPrograms(
  engine: () => Engine,
  frozen: WeakSet<Model>,
): (model: Model) => StepPrograms {
  const programs = new WeakMap<Model, Map<string, StepPrograms>>();
  return (model) => {
    const [of, key] =
      model.base && model.adapter ? [model.base, model.adapter.signature] : [model, ''];
    const known = programs.get(of) ?? new Map<string, StepPrograms>();
    programs.set(of, known);
    const mode = frozen.has(model) || model.parameters.size === 0 ? 'inference' : 'evaluation';
    const own = known.get(key) ?? new StepPrograms(engine(), model, mode);
    known.set(key, own);
    return own.share();
  };
}

export default generate;
