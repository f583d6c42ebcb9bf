// The messages between a client's thread and the storage thread: arrays of writes one way, arrays of
// answers the other. A message costs far more than what is in it, so both sides send at most one for
// each turn of their event loop.
//
// Writes are numbered from 0 in the order in which the client posts them; no number is sent.

import type { MessagePort } from "node:worker_threads";
import type { KvsErrorWire } from "../errors.ts";
import type { SpaceLimits } from "../key-space.ts";
import { ByteReader, ByteWriter } from "../lattice/byte-codec.ts";
import type { Mutation } from "../state-client.ts";
import type { GroupLimits, Write, WriteLevel } from "./group-commit.ts";

/** What a thread needs to reach the store: post it with `port` in the transfer list. */
export interface StateConnection {
  readonly port: MessagePort;
  readonly directory: string;
  readonly signals: SharedArrayBuffer;
  readonly limits: ClientLimits;
}

export interface ClientLimits {
  /** The longest value of a register. */
  readonly valueBytesMax: number;
  /** Writes of one client that are not stored yet: at this many, `BACK_PRESSURE`. */
  readonly writesInFlightMax: number;
  /** The same in bytes of keys and values. */
  readonly bytesInFlightMax: number;
}

export const CLIENT_LIMITS: ClientLimits = {
  valueBytesMax: 1024 * 1024,
  writesInFlightMax: 16_384,
  bytesInFlightMax: 32 * 1024 * 1024,
};

/** From a client. */
export type ClientMessage =
  | WritesMessage
  /** The answer to "closing": every write was posted. */
  | { readonly kind: "flushed" };

/** `ops` is one packed record for each key, see `WriteBatch`. */
export interface WritesMessage {
  readonly kind: "writes";
  readonly keys: readonly string[];
  readonly ops: Uint8Array;
}

/** To a client. */
export type ClientReply =
  | SettledMessage
  /** The store is about to close: post what is written, take no more, answer "flushed". */
  | { readonly kind: "closing" }
  /** Nothing comes after it; `error` is for every write that is not settled, and every later one. */
  | { readonly kind: "ended"; readonly error: KvsErrorWire };

export interface SettledMessage {
  readonly kind: "settled";
  /** Executed writes below level durable, as pairs: number, counter (NaN where there is none). */
  readonly executed: Float64Array | undefined;
  /** All writes below this number are stored, or rejected in this message or an earlier one. */
  readonly storedBelow: number;
  /** The counters of the durable writes stored since the last message, in order; NaN for none. */
  readonly counters: Float64Array | undefined;
  readonly rejected: readonly RejectedWrite[] | undefined;
}

export interface RejectedWrite {
  readonly number: number;
  readonly error: KvsErrorWire;
}

/** From the main thread to the storage thread. */
export type StorageRequest =
  | { readonly kind: "connect"; readonly port: MessagePort }
  | {
      readonly kind: "limit-space";
      readonly space: string;
      readonly limits: SpaceLimits | undefined;
    }
  | { readonly kind: "close" }
  /** Exit at once, with nothing drained. */
  | { readonly kind: "abandon" };

/** From the storage thread to the main thread. */
export type StorageReply =
  | { readonly kind: "ready" }
  /** It could not be opened, or has ended: the thread exits. */
  | { readonly kind: "failed"; readonly error: KvsErrorWire }
  | { readonly kind: "closed"; readonly error: KvsErrorWire | undefined };

/** What the storage thread is started with. */
export interface StorageThreadData {
  readonly directory: string;
  readonly signals: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
  readonly groupLimits: Partial<GroupLimits>;
}

const KINDS = ["put", "add", "delete"] as const;
const LEVELS = ["memory", "async", "durable", "gated"] as const;

/** Packs writes for one message. */
export class WriteBatch {
  #keys: string[] = [];
  readonly #ops = new ByteWriter();

  get count(): number {
    return this.#keys.length;
  }

  get bytes(): number {
    return this.#ops.length;
  }

  /** Copies the value: the caller's memory is its own again. */
  push(key: string, mutation: Mutation, level: WriteLevel): void {
    this.#keys.push(key);
    this.#ops.u8(KINDS.indexOf(mutation.kind) | (LEVELS.indexOf(level) << 4));
    if (mutation.kind === "put") {
      this.#ops.u32(mutation.value.byteLength);
      this.#ops.bytes(mutation.value);
    } else if (mutation.kind === "add") {
      this.#ops.i64(mutation.delta);
    }
  }

  /** The message, and what to transfer with it. The batch is empty after. */
  take(): { readonly message: WritesMessage; readonly transfer: ArrayBuffer[] } {
    const ops = this.#ops.finish();
    const keys = this.#keys;
    this.#keys = [];
    return { message: { kind: "writes", keys, ops }, transfer: [ops.buffer] };
  }
}

/** Unpacks a message; the values are views of it. */
export function* readWrites(message: WritesMessage): Generator<Write> {
  const reader = new ByteReader(message.ops);
  for (const key of message.keys) {
    const head = reader.u8();
    const kind = KINDS[head & 0x0f];
    const level = LEVELS[head >> 4];
    if (kind === undefined || level === undefined) throw new RangeError(`head ${head}`);
    yield { key, level, mutation: readMutation(kind, reader) };
  }
}

function readMutation(kind: Mutation["kind"], reader: ByteReader): Mutation {
  if (kind === "put") return { kind, value: reader.view(reader.u32()) };
  return kind === "add" ? { kind, delta: reader.i64() } : { kind };
}
