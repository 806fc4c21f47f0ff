// Server-sent events: lines `data: {...}`, then `data: [DONE]`. It waits for slow readers, so that
// events do not pile up.
import { once } from 'node:events';
import type { FastifyReply } from 'fastify';

export class EventStream {
  readonly #reply: FastifyReply;
  #started = false;

  constructor(reply: FastifyReply) {
    this.#reply = reply;
  }

  /** Whether anything is sent: from then on an error can only be an event. */
  get started(): boolean {
    return this.#started;
  }

  async sendAll(chunks: readonly object[], signal: AbortSignal): Promise<void> {
    await this.#write(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(''), signal);
  }

  async send(chunk: object): Promise<void> {
    await this.#write(`data: ${JSON.stringify(chunk)}\n\n`);
  }

  end(): void {
    this.#start();
    this.#reply.raw.end('data: [DONE]\n\n');
  }

  /** Ends the stream with an error event, which OpenAI's clients throw. */
  fail(body: object): void {
    const { raw } = this.#reply;
    if (!raw.destroyed) raw.end(`data: ${JSON.stringify(body)}\n\n`);
    // a client that does not read gets only what the connection's buffers hold
    setTimeout(() => {
      raw.destroy();
    }, 5000).unref();
  }

  async #write(text: string, signal?: AbortSignal): Promise<void> {
    this.#start();
    const { raw } = this.#reply;
    if (raw.destroyed || raw.write(text)) return;
    await Promise.race([once(raw, 'drain', signal ? { signal } : {}), once(raw, 'close')]).catch(
      () => undefined,
    );
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#reply.hijack();
    this.#reply.raw.writeHead(200, {
      ...(this.#reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
  }
}
