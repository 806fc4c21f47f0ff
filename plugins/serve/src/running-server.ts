// The main thread's side of the server: starts the HTTP thread and runs its jobs. HTTP lives in a
// thread of its own because computing blocks this one: connections, limits, /health and aborts are
// handled while a step runs.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { toolCallFormat } from '@lmflow/plugin-chat-templates';
import { messageOf, type Logger, type TextGenerator, type ToolCallFormat } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { cannotListen, threadEnded } from './errors.ts';
import { runJob, type JobRunner } from './jobs.ts';
import type { Job, ModelInfo, ThreadSettings, ToMain, ToThread } from './thread-messages.ts';
import type { ServeOptions } from './options.ts';

export interface ServerRequest {
  readonly generator: TextGenerator;
  /** Name that clients use -> model. */
  readonly models: ReadonlyMap<string, Model>;
  /** The ways of writing tool calls that are known. */
  readonly toolCallFormats: Iterable<ToolCallFormat>;
  readonly options: ServeOptions;
  readonly log: Logger;
  readonly version: string;
}

export interface RunningServer {
  /** e.g. `http://127.0.0.1:8000` */
  readonly url: string;
  /** Settles when the server has ended; rejects with LMFLOW_SERVE_THREAD where it failed. */
  readonly ended: Promise<void>;
  /** Lets running requests finish (up to shutdownTimeout) and ends. */
  stop(): Promise<void>;
}

/** Starts serving; resolves once it listens. Throws LMFLOW_SERVE_LISTEN. */
export async function startServer(request: ServerRequest): Promise<RunningServer> {
  const { models, options, log, version } = request;
  const worker = startThread({
    options,
    version,
    models: [...models].map(([id, model]) => describe(id, model, request)),
  });
  const jobs = new RunningJobs(request, (message) => {
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
      if (closed) resolve();
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

/** The address; rejects where the thread cannot listen. */
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

/** The jobs that the HTTP thread has started and that have not ended. */
class RunningJobs {
  readonly #runner: JobRunner;
  readonly #send: (message: ToThread) => void;
  readonly #controllers = new Map<number, AbortController>();

  constructor(runner: JobRunner, send: (message: ToThread) => void) {
    this.#runner = runner;
    this.#send = send;
  }

  start(id: number, job: Job): void {
    const controller = new AbortController();
    this.#controllers.set(id, controller);
    void runJob(this.#runner, job, controller.signal, (event) => {
      this.#send({ kind: 'event', id, event });
    }).finally(() => this.#controllers.delete(id));
  }

  abort(id: number): void {
    this.#controllers.get(id)?.abort();
  }

  abortAll(): void {
    for (const controller of this.#controllers.values()) controller.abort();
  }
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
          toolsRefused: `the chat template of ${id} has no tool calls, or writes them in a way that is not known here (known: ${known})`,
        }),
    ...(parent === undefined ? {} : { parent }),
  };
}

function startThread(workerData: ThreadSettings): Worker {
  const file = createRequire(import.meta.url).resolve('@lmflow/plugin-serve/thread');
  const url = pathToFileURL(file).href;
  if (!file.endsWith('.ts')) return new Worker(new URL(url), { workerData });
  // run from source: a thread has no TypeScript loader of its own
  const loader = import.meta.resolve('tsx/esm/api');
  return new Worker(
    `import(${JSON.stringify(loader)}).then(({ register }) => { register(); return import(${JSON.stringify(url)}); })`,
    { eval: true, workerData },
  );
}
