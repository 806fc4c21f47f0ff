// The Hugging Face hub: one client for models and data sets, and the cache of what was downloaded
// or made.
import { HUB, definePlugin } from '@lmflow/sdk';
import { HuggingFaceHub } from './client.ts';
import { aliases, hubOptions, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { HuggingFaceHub } from './client.ts';
export { hubOptions, type HubOptions } from './options.ts';

const hub = definePlugin({
  name: '@lmflow/plugin-hub',
  version: manifest.version,
  sdk: '^1.0.0',
  options: { schema: hubOptions, aliases, unsupported },
  apply(context) {
    context.provide(HUB, () => new HuggingFaceHub(context.options, context.log));
  },
});

export default hub;
