// At most so many connections. When there are more, the one goes that has never asked for anything
// for the longest time, and where all have asked, the one that was answered longest ago: whoever
// opens thousands and says nothing (or says it slowly) loses his own; who has a request to make
// gets in, and stays for the next.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export class Connections {
  /**
   * Those without a request that was read to its end, in order, with the turn of the event loop
   * they came in.
   */
  readonly #silent = new Map<Socket, number>();
  /** Those whose last request was answered, in order. */
  readonly #idle = new Set<Socket>();
  readonly #limit: number;
  #open = 0;
  #turn = 0;
  #trimming = false;

  constructor(server: Server, limit: number) {
    this.#limit = limit;
    server.on('connection', (socket: Socket) => {
      this.#come(socket);
    });
  }

  get open(): number {
    return this.#open;
  }

  /** A request was read to its end: the connection stays until `done`. */
  busy(socket: Socket): void {
    this.#silent.delete(socket);
    this.#idle.delete(socket);
  }

  done(socket: Socket): void {
    if (!socket.destroyed) this.#idle.add(socket);
  }

  #come(socket: Socket): void {
    this.#open += 1;
    socket.once('close', () => {
      this.#open -= 1;
      this.#silent.delete(socket);
      this.#idle.delete(socket);
    });
    this.#silent.set(socket, this.#turn);
    if (this.#open > this.#limit) this.#trimSoon();
  }

  // Thousands can be accepted in one turn. What the last of them have sent is read in the next one,
  // so that none goes before.
  #trimSoon(): void {
    if (this.#trimming) return;
    this.#trimming = true;
    setImmediate(() => {
      this.#trimming = false;
      this.#turn += 1;
      this.#trim();
    });
  }

  #trim(): void {
    let spare = this.#open - this.#limit;
    const end = (socket: Socket): void => {
      spare -= 1;
      socket.destroy();
    };
    for (const [socket, came] of this.#silent) {
      if (spare <= 0 || came >= this.#turn - 1) break;
      end(socket);
    }
    if (spare <= 0) return;
    if (this.#silent.size > 0) return this.#trimSoon();
    for (const socket of this.#idle) if (spare > 0) end(socket);
  }
}
