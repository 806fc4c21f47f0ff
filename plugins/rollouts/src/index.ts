// The plugin: the service ROLLOUTS, which gives methods that learn from their own samples the prompts
// and the answers. The answers are the generator's.
import { TEMPLATE_CHOICE } from '@lmflow/plugin-chat-templates';
import { DATASETS } from '@lmflow/plugin-datasets';
import { definePlugin, GENERATOR, ROLLOUTS } from '@lmflow/sdk';
import { drawAnswers } from './answers.ts';
import { loadPrompts } from './prompts.ts';
import manifest from '../package.json' with { type: 'json' };

const rollouts = definePlugin({
  name: '@lmflow/plugin-rollouts',
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-datasets', '@lmflow/plugin-generate'],
  apply(context) {
    const { resolve, log } = context;
    context.provide(ROLLOUTS, () => ({
      prompts: (request) =>
        loadPrompts(request, {
          datasets: resolve(DATASETS),
          templates: resolve(TEMPLATE_CHOICE),
          generator: resolve(GENERATOR),
          log,
        }),
      draw: (request) => drawAnswers(request, resolve(GENERATOR)),
    }));
  },
});

export default rollouts;
