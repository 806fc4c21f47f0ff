// At most so many connections. When there are more, the one that has asked for nothing for the longest time goes: whoever opens thousands and
// says nothing (or says it slowly) loses his own, and who has a request to make gets in.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export class Connections {
  /** Those without a request that was read to its end, since when in order. */
  readonly #idle = new Set<Socket>();
  readonly #most: number;
  #open = 0;

  constructor(server: Server, most: number) {
    this.#most = most;
    server.on('connection', (socket: Socket) => { this.#come(socket); });
  }

  get open(): number { return this.#open; }

  /** A request was read to its end: the connection stays until `done`. */
  busy(socket: Socket): void {
    this.#idle.delete(socket);
  }

  done(socket: Socket): void {
    if (!socket.destroyed) this.#idle.add(socket);
  }

  #come(socket: Socket): void {
    this.#open += 1;
    socket.once('close', () => { this.#open -= 1; this.#idle.delete(socket); });
    this.#idle.add(socket);
    if (this.#open <= this.#most) return;
    const [longest] = this.#idle;
    this.#idle.delete(longest!);
    longest!.destroy();
  }
}
