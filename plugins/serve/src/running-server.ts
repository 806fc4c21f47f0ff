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
import { contextLength, runJob, type JobRunner } from './jobs.ts';
import type { ModelInfo, ThreadSettings, ToMain, ToThread } from './thread-messages.ts';
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
  /** The section `generate` of the configuration, where the generator has one. */
  readonly section?: Readonly<Record<string, unknown>>;
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
  const runner: JobRunner = { ...request, section: request.section ?? {} };
  const running = new Map<number, AbortController>();
  const say = (message: ToThread): void => {
    worker.postMessage(message);
  };
  let closed = false;
  let tellListening: (url: string) => void;
  let tellFailed: (error: Error) => void;
  const listening = new Promise<string>(
    (resolve, reject) => ([tellListening, tellFailed] = [resolve, reject]),
  );
  const ended = new Promise<void>((resolve, reject) => {
    worker.on('error', (error) => {
      fail(threadEnded(messageOf(error), error));
    });
    worker.on('exit', (code) => {
      if (closed) resolve();
      else fail(threadEnded(`exit code ${code}`));
    });
    const fail = (error: Error): void => {
      for (const controller of running.values()) controller.abort();
      tellFailed(error);
      reject(error);
    };
  });
  ended.catch(() => undefined);
  worker.on('message', (message: ToMain) => {
    switch (message.kind) {
      case 'listening':
        tellListening(message.url);
        break;
      case 'cannot-listen':
        closed = true;
        tellFailed(cannotListen(options.host, options.port, message.why));
        break;
      case 'start': {
        const controller = new AbortController();
        running.set(message.id, controller);
        const tell = (event: Parameters<Parameters<typeof runJob>[3]>[0]): void =>
          say({ kind: 'event', id: message.id, event });
        void runJob(runner, message.job, controller.signal, tell).finally(() =>
          running.delete(message.id),
        );
        break;
      }
      case 'abort':
        running.get(message.id)?.abort();
        break;
      case 'log':
        log[message.level](message.text);
        break;
      case 'closed':
        closed = true;
        break;
    }
  });
  const url = await listening;
  const stop = async (): Promise<void> => {
    if (!closed) say({ kind: 'stop' });
    await ended;
  };
  return { url, ended, stop };
}

function describe(
  id: string,
  model: Model,
  { models, section = {}, toolCallFormats }: ServerRequest,
): ModelInfo {
  const parent = [...models].find(([, other]) => other === model.base)?.[0];
  const readable = toolCallFormat(toolCallFormats, model.tokenizer.chatTemplate) !== undefined;
  const known = [...toolCallFormats].map(({ description }) => description).join(', ');
  return {
    id,
    created: Math.floor(Date.now() / 1000),
    contextLength: contextLength(model, section),
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
