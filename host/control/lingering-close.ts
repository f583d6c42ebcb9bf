import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";

/** So long a rest is read like any body, and the connection goes on: what a client sends at once. */
const REST_BYTES_KEPT = 65_536;
/** For a client that reads nothing before it has sent all: as much as the largest component has, and then some. */
const LINGER_BYTES_MAX = 64 * 1024 * 1024;
/** So long that much takes on a line of 50 Mbit/s. */
const LINGER_MS = 10_000;
/** Past so many at once, the one that lingers longest is closed. */
const LINGERING_MAX = 256;

// An answer that is there before the body of its request. A connection that is closed while its client still sends is
// reset, and a client that is reset mostly loses an answer that it has not read yet. So the answer leaves at once, whole and with
// `connection: close`; what the client still sends is read and dropped, and then the connection is closed.
//
// C1. A client keeps a connection no longer for it than `LINGER_MS` and `LINGER_BYTES_MAX`, and nobody's memory. All
//     together keep at most `LINGERING_MAX`.
// C2. Where the client says that little is to come, that is read, and the connection is used again. How long that may
//     take is `ClientWatch`'s, as for any body.
export class LingeringClose {
  readonly #lingerMs: number;
  /** Ends each, the one that began first is first. */
  readonly #ends = new Set<() => void>();

  constructor(lingerMs = LINGER_MS) {
    this.#lingerMs = lingerMs;
  }

  /** What to send in place of an answer, so that it is followed by what is left of the request. */
  followed<Payload>(
    { raw }: FastifyRequest,
    reply: FastifyReply,
    payload: Payload,
  ): Payload | Readable {
    if (raw.complete || raw.destroyed || !isWhole(payload)) return payload;
    // Nor is a request complete that has no body, where its answer comes while its head is being read.
    const { "content-length": length = 0, "transfer-encoding": coding } = raw.headers;
    if (coding === undefined && Number(length) <= REST_BYTES_KEPT) {
      raw.resume();
      return payload;
    }
    reply.header("connection", "close").header("content-length", Buffer.byteLength(payload));
    let droppedBytes = 0;
    const drop = (chunk: Uint8Array): void => {
      droppedBytes += chunk.byteLength;
      if (droppedBytes > LINGER_BYTES_MAX) end();
    };
    const end = (): void => {
      clearTimeout(timer);
      this.#ends.delete(end);
      raw.off("data", drop).off("close", end);
      if (!answer.destroyed) answer.push(null);
    };
    const answer = new Readable({
      read: () => undefined,
      destroy: (error, done) => {
        end();
        done(error);
      },
    });
    const timer = setTimeout(end, this.#lingerMs).unref();
    answer.push(payload);
    this.#ends.add(end);
    // It is closed when it is read to its end, and when its client goes.
    raw.on("data", drop).once("close", end).resume();
    const [longest] = this.#ends;
    if (this.#ends.size > LINGERING_MAX) longest?.();
    return answer;
  }
}

function isWhole(payload: unknown): payload is string | Uint8Array {
  return typeof payload === "string" || payload instanceof Uint8Array;
}
