// Encoding without a promise: the tokenizers library only has asynchronous calls, so a worker
// thread makes them while this one waits. Started at the first call; encodeBatch does not need it.
import { createRequire } from 'node:module';
import {
  MessageChannel,
  Worker,
  receiveMessageOnPort,
  type MessagePort,
} from 'node:worker_threads';
import type { RawEncoding } from './offsets.ts';

// Plain JavaScript, given as text: it must also run where this file is a TypeScript source or part
// of a bundle.
const WORKER = `
const { workerData: { library, json, port, signal } } = require('node:worker_threads');
const tokenizer = require(library).Tokenizer.fromString(json);
tokenizer.disableTruncation(); tokenizer.disablePadding();
port.on('message', async ({ text, addSpecialTokens }) => {
  let answer;
  try {
    const encoding = await tokenizer.encode(text, null, { addSpecialTokens });
    answer = { ids: encoding.getIds(), offsets: encoding.getOffsets() };
  } catch (error) {
    answer = { error: String(error && error.message || error) };
  }
  port.postMessage(answer);
  Atomics.store(signal, 0, 1);
  Atomics.notify(signal, 0);
});
`;

interface Answer {
  readonly ids: number[];
  readonly offsets: number[][];
  readonly error?: string;
}

/** A worker that encodes with the tokenizer of `json`. */
export class SynchronousEncoder {
  readonly #port: MessagePort;
  readonly #signal = new Int32Array(new SharedArrayBuffer(4));

  constructor(json: string) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const library = createRequire(import.meta.url).resolve('tokenizers');
    const worker = new Worker(WORKER, {
      eval: true,
      execArgv: [],
      workerData: { library, json, port: port2, signal: this.#signal },
      transferList: [port2],
    });
    // Neither keeps the process alive.
    worker.unref();
    port1.unref();
  }

  encode(text: string, addSpecialTokens: boolean): RawEncoding {
    Atomics.store(this.#signal, 0, 0);
    this.#port.postMessage({ text, addSpecialTokens });
    Atomics.wait(this.#signal, 0, 0, 60_000);
    const answer = receiveMessageOnPort(this.#port)?.message as Answer | undefined;
    if (!answer) throw new Error("the tokenizer's worker thread did not answer within a minute");
    if (answer.error !== undefined) throw new Error(answer.error);
    return { getIds: () => answer.ids, getOffsets: () => answer.offsets };
  }
}
