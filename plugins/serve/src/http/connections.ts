// Limits the open connections. Beyond the limit it closes the oldest connection that never sent a
// whole request, and where there is none, the one whose last answer is oldest: who opens thousands of
// silent or slow connections loses those, and a client with a request gets in.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export class Connections {
  /** Connections without a whole request so far, oldest first, with the turn they came in. */
  readonly #silent = new Map<Socket, number>();
  /** Connections whose last request is answered, longest ago first. */
  readonly #idle = new Set<Socket>();
  readonly #limit: number;
  #open = 0;
  #turn = 0;
  #trimming = false;

  constructor(server: Server, limit: number) {
    this.#limit = limit;
    server.on('connection', (socket: Socket) => {
      this.#add(socket);
    });
  }

  get open(): number {
    return this.#open;
  }

  /** Marks a connection with a whole request, which stays open until `done`. */
  busy(socket: Socket): void {
    this.#silent.delete(socket);
    this.#idle.delete(socket);
  }

  done(socket: Socket): void {
    if (!socket.destroyed) this.#idle.add(socket);
  }

  #add(socket: Socket): void {
    this.#open += 1;
    socket.once('close', () => {
      this.#open -= 1;
      this.#silent.delete(socket);
      this.#idle.delete(socket);
    });
    this.#silent.set(socket, this.#turn);
    if (this.#open > this.#limit) this.#trimSoon();
  }

  // One turn of the event loop can accept thousands. The requests of the last of them are read in the
  // next turn, so no connection is closed before.
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
    for (const [socket, turn] of this.#silent) {
      if (spare <= 0 || turn >= this.#turn - 1) break;
      end(socket);
    }
    if (spare <= 0) return;
    if (this.#silent.size > 0) return this.#trimSoon();
    for (const socket of this.#idle) if (spare > 0) end(socket);
  }
}
