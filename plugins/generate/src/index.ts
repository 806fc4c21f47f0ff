// The plugin: the service GENERATOR, plain decoding as the last tap of onGenerate, and the commands
// generate and chat.
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
import { StepPrograms } from './decode/step-programs.ts';
import { StepRunner, STRETCHING } from './decode/step-runner.ts';
import { CachedSession } from './decode/cached-session.ts';
import { UncachedSession } from './decode/uncached-session.ts';
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
      chatTemplate: 'set chatTemplate at the top level: training and inference share it',
    },
  },
  apply(context) {
    const { hooks, resolve } = context;
    // The parameters of these models never change, so programs hold them as constants.
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

/** Views whose adapters have one shape share programs, which take the parameters as inputs. */
function sharedPrograms(
  engine: () => Engine,
  frozen: WeakSet<Model>,
): (model: Model) => StepPrograms {
  const programs = new WeakMap<Model, Map<string, StepPrograms>>();
  return (model) => {
    const [owner, key] =
      model.base && model.adapter ? [model.base, model.adapter.signature] : [model, ''];
    const bySignature = programs.get(owner) ?? new Map<string, StepPrograms>();
    programs.set(owner, bySignature);
    const mode = frozen.has(model) || model.parameters.size === 0 ? 'inference' : 'evaluation';
    const shared = bySignature.get(key) ?? new StepPrograms(engine(), model, mode);
    bySignature.set(key, shared);
    return shared.share();
  };
}

export default generate;
