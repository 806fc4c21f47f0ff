// The main thread's side of the server: starts the HTTP thread and runs its jobs. HTTP has another
// thread because computing blocks this one: connections, limits, /health and aborts are handled while
// a step runs.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { toolCallFormat } from '@lmflow/plugin-chat-templates';
import {
  messageOf,
  type Logger,
  type RequestSetting,
  type Scorer,
  type TextGenerator,
  type ToolCallFormat,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { cannotListen, settingNameTaken, threadEnded } from './errors.ts';
import { chatParameters } from './http/chat-request.ts';
import { completionParameters } from './http/completions-endpoint.ts';
import { runJob, type JobRunner } from './job-runner.ts';
import { unpackJob } from './packed-job.ts';
import { PromptEcho } from './prompt-echo.ts';
import { answerRoute, checkedRoutes, type ServeRoute } from './plugin-routes.ts';
import type {
  JobEvent,
  ModelInfo,
  PackedJob,
  RouteCall,
  ThreadData,
  ToMain,
  ToThread,
} from './thread-messages.ts';
import type { ServeOptions } from './options.ts';

export interface ServerRequest {
  readonly generator: TextGenerator;
  /** Asked for when scores of a prompt are wanted. */
  readonly scorer: () => Scorer;
  /** The models by the names that clients use. */
  readonly models: ReadonlyMap<string, Model>;
  /** The known formats of tool calls. */
  readonly toolCallFormats: Iterable<ToolCallFormat>;
  readonly options: ServeOptions;
  /** What requests may set for plugins: the rows of REQUEST_SETTINGS. */
  readonly requestSettings?: Iterable<RequestSetting>;
  /** Routes of plugins: the rows of SERVE_ROUTES. */
  readonly routes?: Iterable<ServeRoute>;
  readonly log: Logger;
  readonly version: string;
}

export interface RunningServer {
  /** For example `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Resolves when the server has ended; rejects with LMFLOW_SERVE_THREAD where it failed. */
  readonly ended: Promise<void>;
  /** Lets running requests finish (up to shutdownTimeout) and ends. */
  stop(): Promise<void>;
}

/**
 * Starts serving; resolves once it listens. Throws LMFLOW_SERVE_LISTEN, and LMFLOW_SERVE_SETTING_NAME
 * and LMFLOW_SERVE_ROUTE_INVALID for rows of plugins.
 */
export async function startServer(request: ServerRequest): Promise<RunningServer> {
  const { models, options, log, version } = request;
  const requestSettings = settingsByName(request.requestSettings ?? []);
  const routes = checkedRoutes(request.routes ?? []);
  const worker = startThread({
    options,
    version,
    models: [...models].map(([id, model]) => describe(id, model, request)),
    requestSettings: [...requestSettings.keys()],
    routes: [...routes.values()].map(({ name, method }) => ({ name, method })),
  });
  const echo = new PromptEcho(request.scorer);
  const jobs = new RunningJobs({ ...request, requestSettings, echo }, routes, (message) => {
    worker.postMessage(message);
  });
  let closed = false;
  worker.on('message', (message: ToMain) => {
    switch (message.kind) {
      case 'start':
        jobs.start(message.id, message.job);
        break;
      case 'abort':
        jobs.abort(message.id);
        break;
      case 'log':
        log[message.level](message.text);
        break;
      case 'closed':
      case 'cannot-listen':
        closed = true;
        break;
      case 'listening':
        break;
    }
  });
  const ended = new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      jobs.abortAll();
      reject(error);
    };
    worker.on('error', (error) => {
      fail(threadEnded(messageOf(error), error));
    });
    worker.on('exit', (code) => {
      if (closed) void echo.dispose().then(resolve, reject);
      else fail(threadEnded(`exit code ${code}`));
    });
  });
  ended.catch(() => undefined);
  const listening = untilListening(worker, options);
  const url = await Promise.race([listening, ended.then(() => listening)]);
  const stop = async (): Promise<void> => {
    if (!closed) worker.postMessage({ kind: 'stop' } satisfies ToThread);
    await ended;
  };
  return { url, ended, stop };
}

/** The server's address; rejects where the thread cannot listen. */
function untilListening(
  worker: Worker,
  { host, port }: Pick<ServeOptions, 'host' | 'port'>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: ToMain) => {
      if (message.kind === 'listening') resolve(message.url);
      if (message.kind === 'cannot-listen') reject(cannotListen(host, port, message.why));
    });
  });
}

/** The jobs of the HTTP thread that have not ended. */
class RunningJobs {
  readonly #runner: JobRunner;
  readonly #routes: ReadonlyMap<string, ServeRoute>;
  readonly #send: (message: ToThread) => void;
  readonly #controllers = new Map<number, AbortController>();

  constructor(
    runner: JobRunner,
    routes: ReadonlyMap<string, ServeRoute>,
    send: (message: ToThread) => void,
  ) {
    this.#runner = runner;
    this.#routes = routes;
    this.#send = send;
  }

  start(id: number, job: PackedJob | RouteCall): void {
    const controller = new AbortController();
    this.#controllers.set(id, controller);
    void this.#run(job, controller.signal, (event) => {
      this.#send({ kind: 'event', id, event });
    }).finally(() => this.#controllers.delete(id));
  }

  async #run(
    job: PackedJob | RouteCall,
    signal: AbortSignal,
    report: (event: JobEvent) => void,
  ): Promise<void> {
    if (!('route' in job)) return runJob(this.#runner, unpackJob(job), signal, report);
    const { models, log } = this.#runner;
    report(await answerRoute(this.#routes.get(job.route)!, job, models, signal, log));
  }

  abort(id: number): void {
    this.#controllers.get(id)?.abort();
  }

  abortAll(): void {
    for (const controller of this.#controllers.values()) controller.abort();
  }
}

/** The rows by name; throws LMFLOW_SERVE_SETTING_NAME where the API has a parameter of the name. */
function settingsByName(rows: Iterable<RequestSetting>): ReadonlyMap<string, RequestSetting> {
  const settings = new Map([...rows].map((row) => [row.name, row]));
  const taken = [...completionParameters, ...chatParameters].find((name) => settings.has(name));
  if (taken !== undefined) throw settingNameTaken(taken);
  return settings;
}

function describe(
  id: string,
  model: Model,
  { generator, models, toolCallFormats }: ServerRequest,
): ModelInfo {
  const parent = [...models].find(([, other]) => other === model.base)?.[0];
  const readable = toolCallFormat(toolCallFormats, model.tokenizer.chatTemplate) !== undefined;
  const known = [...toolCallFormats].map(({ description }) => description).join(', ');
  return {
    id,
    created: Math.floor(Date.now() / 1000),
    contextLength: generator.defaults(model).contextLength,
    ...(readable
      ? {}
      : {
          toolsRefused: `the chat template of ${id} has no tool calls in a known format (${known})`,
        }),
    ...(parent === undefined ? {} : { parent }),
  };
}

function startThread(workerData: ThreadData): Worker {
  const file = createRequire(import.meta.url).resolve('@lmflow/plugin-serve/thread');
  const url = pathToFileURL(file).href;
  if (!file.endsWith('.ts')) return new Worker(new URL(url), { workerData });
  // run from source, the thread needs its own TypeScript loader
  const loader = import.meta.resolve('tsx/esm/api');
  return new Worker(
    `import(${JSON.stringify(loader)}).then(({ register }) => { register(); return import(${JSON.stringify(url)}); })`,
    { eval: true, workerData },
  );
}
