// The Hugging Face hub: one client for models and data sets, and the cache of what was downloaded
// or made.
import { HUB, definePlugin } from '@lmflow/sdk';
import { cacheCommand } from './cache/command.ts';
import { cacheChecks } from './cache/doctor.ts';
import { HuggingFaceHub } from './client.ts';
import { hubCacheFolder } from './environment.ts';
import { aliases, hubOptions, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export type { CacheResult } from './cache/command.ts';
export { HuggingFaceHub } from './client.ts';
export { hubOptions, type HubOptions } from './options.ts';

const hub = definePlugin({
  name: '@lmflow/plugin-hub',
  version: manifest.version,
  sdk: '^1.0.0',
  options: { schema: hubOptions, aliases, unsupported },
  apply(context) {
    const { log } = context;
    const hubFolder = (): string => hubCacheFolder(context.options.cacheDir);
    context.provide(HUB, () => new HuggingFaceHub(context.options, log));
    context.command(cacheCommand({ log, hubFolder, input: process.stdin }));
    context.hooks.onDoctor.tap(async (checks) => {
      checks.push(...(await cacheChecks(hubFolder())));
    });
  },
});

export default hub;
