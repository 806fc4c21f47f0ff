// `lmflow serve`: a model over HTTP, with the API of OpenAI and a chat page.
import { basename } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import ipaddr from 'ipaddr.js';
import {
  GENERATOR,
  MODELS,
  TOOL_CALL_FORMATS,
  definePlugin,
  type CommandInvocation,
} from '@lmflow/sdk';
import { modelMissing, nameTaken } from './errors.ts';
import { startServer } from './running-server.ts';
import { forTraining, serveOptions } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { startServer, type RunningServer, type ServerRequest } from './running-server.ts';
export { serveOptions, type ServeOptions } from './options.ts';

const name = '@lmflow/plugin-serve';

const serve = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-chat-templates'],
  options: { section: 'serve', schema: serveOptions },
  apply(context) {
    const { resolve, log } = context;
    context.command({
      name: 'serve',
      summary: 'Serves a model over HTTP: the API of OpenAI, and a chat page.',
      sections: ['model', 'serve', 'lora'],
      unsupported: forTraining,
      examples: [
        'lmflow serve --model out/my-model',
        'lmflow serve --model org/model --lora-adapters poet=out/poet,chef=out/chef',
        'LMFLOW_API_KEY=secret lmflow serve --model out/my-model --serve-port 9000',
      ],
      run: async ({ config, signal }: CommandInvocation) => {
        if (config.model === undefined) throw modelMissing();
        const apiKey = context.options.apiKey ?? (process.env['LMFLOW_API_KEY'] || undefined);
        const options = { ...context.options, ...(apiKey === undefined ? {} : { apiKey }) };
        // Short-lived objects of long answers survive into the old generation, which V8 lets
        // double: under load memory would go up and down by 50 MB.
        setFlagsFromString('--heap-growing-percent=20');
        const generator = resolve(GENERATOR);
        const model = await resolve(MODELS).load({
          role: 'policy',
          purpose: 'inference',
          source: config.model,
          signal,
        });
        const id = options.modelName ?? basename(config.model.replace(/[/\\]+$/, ''));
        if (!isLoopback(options.host) && apiKey === undefined && options.apiKeys.length === 0) {
          log.warn(
            `serving on ${options.host} without an API key: whoever reaches this address can use the model`,
          );
        }
        if (model.adapters?.has(id)) throw nameTaken(id);
        const server = await startServer({
          generator,
          models: new Map([[id, model], ...(model.adapters ?? [])]),
          toolCallFormats: context.rows(TOOL_CALL_FORMATS),
          options,
          log,
          version: manifest.version,
        });
        log.event(
          'serving',
          { url: server.url, model: id, adapters: [...(model.adapters?.keys() ?? [])] },
          `serving ${[id, ...(model.adapters?.keys() ?? [])].join(', ')} at ${server.url}${options.chatPage ? '/ (chat page)' : ''}, API at ${server.url}/v1; Ctrl-C ends`,
        );
        const stop = (): void => {
          void server.stop().catch(() => undefined);
        };
        if (signal.aborted) stop();
        signal.addEventListener('abort', stop, { once: true });
        try {
          await server.ended;
        } finally {
          signal.removeEventListener('abort', stop);
        }
        return 0;
      },
    });
  },
});

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback';
}

export default serve;
