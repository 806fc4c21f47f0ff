// The process that the native tokenizers library runs in, and requests to it, with and without a
// promise. A crash, a text without end or a flood of memory ends that process, which is started
// again; the request that met it throws. What the library is asked: child-script.ts.
import { createRequire } from 'node:module';
import { deserialize, serialize } from 'node:v8';
import {
  MessageChannel,
  Worker,
  receiveMessageOnPort,
  type MessagePort,
} from 'node:worker_threads';
import { CHILD } from './child-script.ts';
import type { AddedTokenSpec } from './files.ts';
import { RELAY } from './relay-script.ts';

/** Longest time for one request, in milliseconds. */
const LIMIT = 60_000;
/** Memory that one request may add to the process, in bytes. */
const MOST_MEMORY = 2 ** 30;

/** What tokenizer.json has, as the library reads it. */
export interface LoadedTokenizer {
  /** tokenizer.json with the tokens that were added, where there are any. */
  readonly json: string | undefined;
  readonly decoder: unknown;
  /** The model's vocabulary: token i has the id `ids[i]`. */
  readonly tokens: readonly string[];
  readonly ids: Uint32Array;
  readonly added: readonly {
    readonly content: string;
    readonly special: boolean;
    readonly id: number;
  }[];
}

/** An added token that gets another id than its file says. */
export interface IdConflict {
  readonly conflict: {
    readonly content: string;
    readonly id: number;
    readonly assigned: number | null;
  };
}

/** Ids and offsets (start and end of each token, in code points) of a text. */
export interface RawEncoding {
  readonly ids: Int32Array;
  readonly offsets: Int32Array;
}

type Request =
  | {
      readonly kind: 'encode';
      readonly texts: readonly string[];
      readonly addSpecialTokens: boolean;
    }
  | { readonly kind: 'decode'; readonly tokens: readonly string[] };

/** Why a process ended before it answered. */
export class ProcessEnded extends Error {
  constructor(
    readonly kind: 'crash' | 'slow' | 'memory' | 'start',
    readonly detail: string | undefined,
    /** It ended while it read tokenizer.json. */
    readonly loading: boolean,
  ) {
    super(detail);
  }
}

/** What comes of a request: the reply's bytes, or why there is none. */
interface Outcome {
  readonly id: number;
  readonly answer?: Uint8Array;
  readonly failure?: {
    readonly kind: ProcessEnded['kind'];
    readonly detail?: string;
    readonly loading: boolean;
  };
}

interface Link {
  readonly worker: Worker;
  readonly port: MessagePort;
  /** Counts the outcomes. */
  readonly signal: Int32Array;
}

/** Limits of one request, which tests make smaller, and who wants to know of requests. */
export interface ProcessOptions {
  readonly milliseconds?: number;
  readonly bytes?: number;
  /** Called before a request. */
  readonly use?: () => void;
}

export class TokenizerProcess {
  readonly #load: Uint8Array;
  readonly #milliseconds: number;
  readonly #bytes: number;
  readonly #use: (() => void) | undefined;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  #link: Link | undefined;
  #loaded: Promise<LoadedTokenizer | IdConflict> | undefined;
  #requests = 0;

  constructor(
    json: string,
    added: readonly AddedTokenSpec[],
    { milliseconds = LIMIT, bytes = MOST_MEMORY, use }: ProcessOptions = {},
  ) {
    this.#use = use;
    const load = serialize({ kind: 'load', json, added });
    this.#load = new Uint8Array(new SharedArrayBuffer(load.length));
    this.#load.set(load);
    this.#milliseconds = milliseconds;
    this.#bytes = bytes;
  }

  /** Whether a request is not answered yet. */
  get busy(): boolean {
    return this.#waiting.size > 0;
  }

  /** Lets the library read tokenizer.json, once. Throws its error, or ProcessEnded. */
  load(): Promise<LoadedTokenizer | IdConflict> {
    this.#loaded ??= this.#ask(undefined).catch((error: unknown) => {
      this.#loaded = undefined;
      throw error;
    }) as Promise<LoadedTokenizer | IdConflict>;
    return this.#loaded;
  }

  /** Throws the library's error, or ProcessEnded. */
  encode(texts: readonly string[], addSpecialTokens: boolean): Promise<RawEncoding[]> {
    return this.#ask({ kind: 'encode', texts, addSpecialTokens }) as Promise<RawEncoding[]>;
  }

  /** As `encode`, while this thread waits. */
  encodeNow(texts: readonly string[], addSpecialTokens: boolean): RawEncoding[] {
    return this.#askNow({ kind: 'encode', texts, addSpecialTokens }) as RawEncoding[];
  }

  /** The text of tokens, by the decoder of tokenizer.json, while this thread waits. */
  decodeNow(tokens: readonly string[]): string {
    return this.#askNow({ kind: 'decode', tokens }) as string;
  }

  /** Ends the process and the thread before it; the next request starts them again. */
  stop(): void {
    void this.#link?.worker.terminate();
    this.#link = undefined;
  }

  async #ask(request: Request | undefined): Promise<unknown> {
    const { port } = this.#connected();
    port.ref();
    try {
      return replyOf(await new Promise<Outcome>((resolve) => this.#send(request, resolve)));
    } finally {
      if (!this.busy) port.unref();
    }
  }

  #askNow(request: Request): unknown {
    const { port, signal } = this.#connected();
    // Those before it, starting, and itself each have their limit.
    const longest = (this.#waiting.size + 3) * this.#milliseconds;
    let outcome: Outcome | undefined;
    this.#send(request, (received) => (outcome = received));
    while (!outcome) {
      const seen = Atomics.load(signal, 0);
      const received = receiveMessageOnPort(port)?.message as Outcome | undefined;
      if (received) this.#receive(received);
      else if (Atomics.wait(signal, 0, seen, longest) === 'timed-out') {
        throw new ProcessEnded('start', 'the thread before it does not answer', false);
      }
    }
    return replyOf(outcome);
  }

  #send(request: Request | undefined, receive: (outcome: Outcome) => void): void {
    const id = this.#requests++;
    this.#waiting.set(id, receive);
    this.#link!.port.postMessage({ id, request: request && new Uint8Array(serialize(request)) });
  }

  #receive(outcome: Outcome): void {
    const receive = this.#waiting.get(outcome.id)!;
    this.#waiting.delete(outcome.id);
    receive(outcome);
  }

  #connected(): Link {
    this.#use?.();
    this.#link ??= this.#connect();
    return this.#link;
  }

  #connect(): Link {
    const { port1: port, port2 } = new MessageChannel();
    const signal = new Int32Array(new SharedArrayBuffer(4));
    const library = createRequire(import.meta.url).resolve('tokenizers');
    const worker = new Worker(RELAY, {
      eval: true,
      execArgv: [],
      workerData: {
        port: port2,
        signal,
        script: CHILD,
        args: [library, String(this.#bytes)],
        load: this.#load,
        limit: this.#milliseconds,
      },
      transferList: [port2],
    });
    port.on('message', (outcome: Outcome) => this.#receive(outcome));
    // Neither keeps the process alive.
    worker.unref();
    port.unref();
    return { worker, port, signal };
  }
}

function replyOf({ answer, failure }: Outcome): unknown {
  if (failure) throw new ProcessEnded(failure.kind, failure.detail, failure.loading);
  const reply = deserialize(answer!) as { readonly value?: unknown; readonly error?: string };
  if (reply.error !== undefined) throw new Error(reply.error);
  return reply.value;
}
