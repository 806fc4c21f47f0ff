// The plugin: `lmflow serve` answers for a model over HTTP, with the API of OpenAI and a chat page.
import { basename } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import ipaddr from 'ipaddr.js';
import {
  GENERATOR,
  MODELS,
  REQUEST_SETTINGS,
  SCORER,
  TOOL_CALL_FORMATS,
  definePlugin,
  type CommandInvocation,
  type Logger,
  type PluginContext,
} from '@lmflow/sdk';
import { modelMissing, nameTaken } from './errors.ts';
import { SERVE_ROUTES } from './plugin-routes.ts';
import { startServer, type RunningServer } from './running-server.ts';
import { forTraining, serveOptions, type ServeOptions } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export {
  SERVE_ROUTES,
  type RouteAnswer,
  type RouteRequest,
  type ServeRoute,
} from './plugin-routes.ts';
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
    context.command({
      name: 'serve',
      summary: 'Serves a model over HTTP: the API of OpenAI, and a chat page.',
      sections: [
        'model',
        'serve.host',
        'serve.port',
        'serve.modelName',
        'serve.apiKey',
        'serve.allowedOrigins',
        'serve.maxConcurrent',
        'serve.chatPage',
        'lora.adapter',
        'quantize.bits',
        'generate.temperature',
        'generate.maxNewTokens',
        'chatTemplate',
        'device',
        'serve',
        'lora',
      ],
      unsupported: forTraining,
      examples: [
        'lmflow serve --model out/my-model',
        'lmflow serve --model org/model --lora-adapters poet=out/poet,chef=out/chef',
        'LMFLOW_API_KEY=secret lmflow serve --model out/my-model --port 9000',
      ],
      run: (invocation: CommandInvocation) => run(context, invocation),
    });
  },
});

async function run(
  context: PluginContext<ServeOptions>,
  { config, signal }: CommandInvocation,
): Promise<number> {
  if (config.model === undefined) throw modelMissing();
  // Under load, short-lived objects of long answers reach the old generation, which V8 lets double
  // before it collects: memory would swing by 50 MB.
  setFlagsFromString('--heap-growing-percent=20');
  const { log, resolve } = context;
  const options = withKey(context.options);
  const generator = resolve(GENERATOR);
  const model = await resolve(MODELS).load({
    role: 'policy',
    purpose: 'inference',
    source: config.model,
    signal,
  });
  const id = options.modelName ?? basename(config.model.replace(/[/\\]+$/, ''));
  warnIfOpen(options, log);
  if (model.adapters?.has(id)) throw nameTaken(id);
  const models = new Map([[id, model], ...(model.adapters ?? [])]);
  const server = await startServer({
    generator,
    scorer: () => resolve(SCORER),
    models,
    toolCallFormats: context.rows(TOOL_CALL_FORMATS),
    requestSettings: context.rows(REQUEST_SETTINGS),
    routes: context.rows(SERVE_ROUTES),
    options,
    log,
    version: manifest.version,
  });
  const page = options.chatPage ? `chat page at ${server.url}/, ` : '';
  const addresses = `${page}API at ${server.url}/v1`;
  log.event(
    'serving',
    { url: server.url, model: id, adapters: [...(model.adapters?.keys() ?? [])] },
    `serving ${[...models.keys()].join(', ')}: ${addresses}; Ctrl-C ends`,
  );
  await untilEnded(server, signal);
  return 0;
}

function withKey(options: ServeOptions): ServeOptions {
  const apiKey = options.apiKey ?? (process.env['LMFLOW_API_KEY'] || undefined);
  return { ...options, ...(apiKey === undefined ? {} : { apiKey }) };
}

function warnIfOpen({ host, apiKey, apiKeys }: ServeOptions, log: Logger): void {
  if (isLoopback(host) || apiKey !== undefined || apiKeys.length > 0) return;
  log.warn(`${host} is served without an API key: everyone who reaches it can use the model`);
}

async function untilEnded(server: RunningServer, signal: AbortSignal): Promise<void> {
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
}

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback';
}

export default serve;
