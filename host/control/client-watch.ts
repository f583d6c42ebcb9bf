import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { FastifyRequest } from "fastify";

export interface ClientWatchOptions {
  /** Connections of one address at once. */
  readonly connectionsPerAddressMax: number;
  /** How long the body of a request may take, where it is not an upload. */
  readonly requestBodyTimeoutMs: number;
  /** What clients have not read yet, of all connections. */
  readonly unreadBytesMax: number;
}

const SWEEP_INTERVAL_MS = 250;
/** A client that reads at all reads so much in the time. */
const READ_WINDOW_MS = 30_000;
const READ_BYTES_MIN = 30_000;

interface Reading {
  /** What had left for the client when the window began. */
  sentBytes: number;
  sinceMs: number;
}

// Closes the connections of clients that hold on to what the host keeps for them: by a body that
// does not come, by answers that they do not read, or by their number.
//
// A1. A connection is closed by what it does itself, but for the bound on all unread answers: then those with the
//     most to read go first.
// A2. A request costs two operations on a set; connections are looked at four times a second.
export class ClientWatch {
  readonly #options: ClientWatchOptions;
  readonly #ofAddress = new Map<string, number>();
  readonly #sockets = new Map<Socket, Reading>();
  /** In the order in which they began. */
  readonly #bodies = new Map<FastifyRequest, number>();

  constructor(options: ClientWatchOptions) {
    this.#options = options;
  }

  /** Until the server closes. */
  attach(server: Server): void {
    server.on("connection", (socket: Socket) => this.#add(socket));
    const timer = setInterval(() => this.sweep(performance.now()), SWEEP_INTERVAL_MS).unref();
    server.once("close", () => clearInterval(timer));
  }

  /** A request whose body is still to come, from when that is said first. */
  beginBody(request: FastifyRequest): void {
    if (!this.#bodies.has(request)) this.#bodies.set(request, performance.now());
  }

  /** It is here, or does not come any more. */
  endBody(request: FastifyRequest): void {
    this.#bodies.delete(request);
  }

  sweep(nowMs: number): void {
    for (const [request, sinceMs] of this.#bodies) {
      if (nowMs - sinceMs <= this.#options.requestBodyTimeoutMs) break;
      this.#bodies.delete(request);
      request.raw.destroy();
    }
    let unreadBytes = 0;
    for (const [socket, reading] of this.#sockets) {
      const unread = socket.writableLength;
      unreadBytes += unread;
      const sentBytes = socket.bytesWritten - unread;
      if (unread === 0 || sentBytes - reading.sentBytes >= READ_BYTES_MIN) {
        reading.sentBytes = sentBytes;
        reading.sinceMs = nowMs;
      } else if (nowMs - reading.sinceMs > READ_WINDOW_MS) {
        socket.destroy();
      }
    }
    if (unreadBytes > this.#options.unreadBytesMax) this.#closeLargest(unreadBytes);
  }

  #closeLargest(unreadBytes: number): void {
    let left = unreadBytes;
    const largest = [...this.#sockets.keys()].toSorted(
      (a, b) => b.writableLength - a.writableLength,
    );
    for (const socket of largest) {
      if (left <= this.#options.unreadBytesMax) return;
      left -= socket.writableLength;
      socket.destroy();
    }
  }

  #add(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const count = (this.#ofAddress.get(address) ?? 0) + 1;
    if (count > this.#options.connectionsPerAddressMax) {
      socket.destroy();
      return;
    }
    this.#ofAddress.set(address, count);
    this.#sockets.set(socket, { sentBytes: 0, sinceMs: performance.now() });
    socket.once("close", () => {
      this.#sockets.delete(socket);
      const left = (this.#ofAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#ofAddress.delete(address);
      else this.#ofAddress.set(address, left);
    });
  }
}
