// A thread's own view of the state: reads go to LMDB's memory map in this thread, writes go to the
// storage thread. It keeps the promises of `StateClient`:
//
// C1. Writes that were answered and are not stored yet lie over what is read (`overlay.ts`); a read
//     after a durable answer sees it, since commits are announced in shared memory before answers.
// C2. Each write is answered once. When the storage thread is gone, every write is rejected: those
//     under way may or may not be stored. A gate hears of what becomes of a write after its answer.
// C3. No lock is held, and nothing waits for another thread but promises.
//
// Limits: with `writesInFlightMax` writes or `bytesInFlightMax` bytes not stored yet, a write is
// rejected with `BACK_PRESSURE`. From half of that, every write is answered when it is stored, so that
// writers that await their writes slow down to the disk's speed before they are refused. A key or a value beyond its limit
// is refused before it is sent. Work that writes through a gate and has `GATED_WRITES_EACH` writes not stored yet, waits for
// its next one as soon as `GATED_WRITES_SHARED` of the client are not stored: a commit that all wait for stays short,
// whatever one of them writes.
//
// Level `memory`, and `durable` through a gate, are answered here for a put and a delete. Should the
// storage thread refuse one later (another client has made the key a counter meanwhile; the disk or the
// key's space is full), it is dropped, and the gate fails. For a while after a space was full, each write to it is
// answered when it is stored: whoever goes on writing hears of it in the write, and at the disk's speed.

import assert from "node:assert/strict";
import { KvsError } from "../errors.ts";
import { decodeUse, spaceOf, useKey } from "../key-space.ts";
import type { SpaceUse } from "../key-space.ts";
import { checkKey, checkKeyPart } from "../keys.ts";
import type { OutputGate } from "../output-gate.ts";
import type {
  Durability,
  Mutation,
  StateClient,
  StatePage,
  StateValue,
  WriteResult,
} from "../state-client.ts";
import { EmbeddedReader, openEnvironment } from "../store/embedded-reader.ts";
import type { Environment } from "../store/embedded-reader.ts";
import { toPage } from "../store/page.ts";
import { StoreSignals } from "../store/store-signals.ts";
import type { WriteLevel } from "./group-commit.ts";
import { Overlay } from "./overlay.ts";
import { WriteBatch } from "./protocol.ts";
import type { ClientMessage, ClientReply, SettledMessage, StateConnection } from "./protocol.ts";
import { COUNTER_MAX, counterOverflow, wrongKind } from "./replica.ts";

/** A batch is posted before the end of the turn from so much on. */
const BATCH_WRITES_MAX = 4096;
const BATCH_BYTES_MAX = 1024 * 1024;

/** How long a space counts as full after a write was rejected for it. */
const FULL_SPACE_MS = 1_000;

const GATED_WRITES_SHARED = 128;
const GATED_WRITES_EACH = 2;

/** What a write counts beside its key and value. */
const WRITE_BYTES = 64;

const NO_RESULT: WriteResult = Object.freeze({});

/**
 * Makes a client in the thread that was given the connection. A thread that is terminated inside this
 * call (or inside `close`) may end the process; before and after it, it may be at any time.
 */
export function connectStateClient(connection: StateConnection): StateClient {
  if (new StoreSignals(connection.signals).hasEnded) {
    throw new KvsError("STORE_UNAVAILABLE", "the storage thread has ended");
  }
  return new ConnectedStateClient(connection);
}

/** A write that is not stored yet. */
interface PendingWrite {
  readonly key: string;
  readonly level: WriteLevel;
  readonly bytes: number;
  /** What the key reads as once it is answered; for an add, known from the answer. */
  readonly value: StateValue | undefined;
  /** Undefined where the write was answered at once. */
  readonly answer: PromiseWithResolvers<WriteResult> | undefined;
  /** Shut until it is stored: its writer's, and those of its readers. */
  readonly gates: Set<OutputGate> | undefined;
  state: "waiting" | "executed" | "rejected";
}

class ConnectedStateClient implements StateClient {
  readonly #connection: StateConnection;
  readonly #environment: Environment;
  readonly #reader: EmbeddedReader;
  readonly #overlay = new Overlay();
  readonly #batch = new WriteBatch();
  /** The writes from number `#firstNumber` on, in order. */
  #pending: PendingWrite[] = [];
  #firstNumber = 0;
  #bytesInFlight = 0;
  #isFlushScheduled = false;
  /** Until when each counts as full. */
  readonly #fullSpaces = new Map<string, number>();
  /** Set when no write is taken any more. */
  #refused: KvsError | undefined;
  #ended: KvsError | undefined;
  #closing: Promise<void> | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  #isClosed = false;

  constructor(connection: StateConnection) {
    const { port } = connection;
    this.#connection = connection;
    this.#environment = openEnvironment(connection.directory, "read");
    this.#reader = new EmbeddedReader(this.#environment, new StoreSignals(connection.signals));
    port.on("message", (reply: ClientReply) => {
      if (this.#ended !== undefined) return;
      this.#receive(reply);
    });
    port.on("close", () => {
      this.#end(new KvsError("STORE_UNAVAILABLE", "the storage thread has ended"));
    });
    // A client alone does not keep its thread alive; a write under way does.
    port.unref();
  }

  read(key: string, gate?: OutputGate): StateValue | undefined {
    checkKey(key);
    this.#checkOpen();
    const own = this.#overlay.get(key);
    if (own === undefined) return this.#reader.read(key);
    this.#holdUntilStored(own.number, gate);
    return own.value;
  }

  list(prefix: string, after: string | undefined, limit: number, gate?: OutputGate): StatePage {
    checkKeyPart(prefix);
    if (after !== undefined) checkKeyPart(after);
    this.#checkOpen();
    for (const number of this.#overlay.numbers(prefix)) this.#holdUntilStored(number, gate);
    const stored = this.#reader.liveKeys(prefix, after);
    return toPage(this.#overlay.over(stored, prefix, after), limit);
  }

  spaceUse(space: string): SpaceUse {
    this.#checkOpen();
    return decodeUse(this.#reader.get(useKey(space)));
  }

  write(
    key: string,
    mutation: Mutation,
    durability: Durability,
    gate?: OutputGate,
  ): Promise<WriteResult> | WriteResult {
    try {
      this.#check(key, mutation);
      if (this.#isUnderPressure() || this.#isSpaceFull(key))
        return this.#sendForAnswer(key, mutation, "durable");
      // A counter's value comes from the thread that owns it.
      const needsResult = mutation.kind === "add";
      if (durability === "durable" && gate !== undefined && !this.#mustWait(gate)) {
        return needsResult
          ? this.#sendForAnswer(key, mutation, "gated", gate)
          : this.#sendAnswered(key, mutation, "gated", gate);
      }
      if (durability !== "memory") return this.#sendForAnswer(key, mutation, durability);
      return needsResult
        ? this.#sendForAnswer(key, mutation, "async")
        : this.#sendAnswered(key, mutation, "memory");
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#closeAfterWrites();
    await this.#closing;
  }

  #receive(reply: ClientReply): void {
    switch (reply.kind) {
      case "settled":
        this.#settle(reply);
        break;
      case "closing":
        this.#refused = closed();
        this.#flush();
        this.#post({ kind: "flushed" });
        break;
      case "ended":
        this.#end(KvsError.fromWire(reply.error));
        break;
    }
  }

  #check(key: string, mutation: Mutation): void {
    checkKey(key);
    if (this.#refused !== undefined) throw this.#refused;
    const { valueBytesMax, writesInFlightMax, bytesInFlightMax } = this.#connection.limits;
    if (mutation.kind === "put" && mutation.value.byteLength > valueBytesMax) {
      const bytes = mutation.value.byteLength;
      throw new KvsError(
        "VALUE_TOO_LARGE",
        `the value has ${bytes} bytes; at most ${valueBytesMax} are allowed`,
        { details: { bytes, bytesMax: valueBytesMax } },
      );
    }
    if (mutation.kind === "add" && (mutation.delta > ADD_MAX || mutation.delta < -ADD_MAX)) {
      throw counterOverflow();
    }
    if (this.#pending.length >= writesInFlightMax || this.#bytesInFlight >= bytesInFlightMax) {
      throw new KvsError("BACK_PRESSURE", "too many writes wait to be stored", {
        details: { writesInFlightMax, bytesInFlightMax },
      });
    }
  }

  #isUnderPressure(): boolean {
    const { writesInFlightMax, bytesInFlightMax } = this.#connection.limits;
    return (
      this.#pending.length * 2 >= writesInFlightMax || this.#bytesInFlight * 2 >= bytesInFlightMax
    );
  }

  #mustWait(gate: OutputGate): boolean {
    return this.#pending.length >= GATED_WRITES_SHARED && gate.unstored >= GATED_WRITES_EACH;
  }

  /** As far as this client has heard. */
  #isSpaceFull(key: string): boolean {
    if (this.#fullSpaces.size === 0) return false;
    const space = spaceOf(key);
    if (space === undefined) return false;
    const untilMs = this.#fullSpaces.get(space);
    if (untilMs === undefined || performance.now() < untilMs) return untilMs !== undefined;
    this.#fullSpaces.delete(space);
    return false;
  }

  /** Answered here, and read from the overlay until it is stored. */
  #sendAnswered(
    key: string,
    mutation: Mutation,
    level: "memory" | "gated",
    gate?: OutputGate,
  ): WriteResult {
    const held = mutation.kind === "put" ? this.read(key, gate) : undefined;
    if (held !== undefined && held.kind !== "register") throw wrongKind(held);
    const value = valueAfter(mutation);
    const number = this.#send(key, mutation, level, { value, answer: undefined, gate });
    this.#overlay.add(key, number, value);
    return NO_RESULT;
  }

  async #sendForAnswer(
    key: string,
    mutation: Mutation,
    level: "async" | "durable" | "gated",
    gate?: OutputGate,
  ): Promise<WriteResult> {
    const answer = Promise.withResolvers<WriteResult>();
    const value = level === "async" ? valueAfter(mutation) : undefined;
    this.#send(key, mutation, level, { value, answer, gate });
    return answer.promise;
  }

  #send(
    key: string,
    mutation: Mutation,
    level: WriteLevel,
    settling: Pick<PendingWrite, "value" | "answer"> & { readonly gate: OutputGate | undefined },
  ): number {
    const bytes = WRITE_BYTES + key.length + (mutation.kind === "put" ? mutation.value.length : 0);
    const number = this.#firstNumber + this.#pending.length;
    const { value, answer, gate } = settling;
    this.#batch.push(key, mutation, level);
    if (this.#pending.length === 0) this.#connection.port.ref();
    const gates = gate === undefined ? undefined : new Set([gate]);
    gate?.hold();
    this.#pending.push({ key, level, bytes, value, answer, gates, state: "waiting" });
    this.#bytesInFlight += bytes;
    this.#flushLater();
    return number;
  }

  #flushLater(): void {
    if (this.#batch.count >= BATCH_WRITES_MAX || this.#batch.bytes >= BATCH_BYTES_MAX) {
      this.#flush();
    } else if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      setImmediate(() => {
        this.#isFlushScheduled = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    if (this.#batch.count === 0 || this.#ended !== undefined) return;
    const { message, transfer } = this.#batch.take();
    this.#post(message, transfer);
  }

  #post(message: ClientMessage, transfer: ArrayBuffer[] = []): void {
    this.#connection.port.postMessage(message, transfer);
  }

  #settle({ executed, storedBelow, counters, rejected }: SettledMessage): void {
    if (executed !== undefined) this.#settleExecuted(executed);
    for (const { number, error } of rejected ?? []) {
      this.#reject(this.#pendingAt(number), number, KvsError.fromWire(error));
    }
    this.#settleStored(storedBelow, counters);
  }

  #reject(write: PendingWrite, number: number, error: KvsError): void {
    const hasWriterToldOf = write.state === "executed" || write.answer === undefined;
    write.state = "rejected";
    const space = error.code === "SPACE_FULL" ? spaceOf(write.key) : undefined;
    if (space !== undefined) this.#fullSpaces.set(space, performance.now() + FULL_SPACE_MS);
    this.#overlay.drop(write.key, number);
    write.answer?.reject(error);
    for (const gate of write.gates ?? []) {
      if (hasWriterToldOf) gate.fail(error);
      else gate.release();
    }
  }

  #settleExecuted(executed: Float64Array): void {
    for (let index = 0; index < executed.length; index += 2) {
      const number = executed[index] ?? 0;
      const write = this.#pendingAt(number);
      const result = toResult(executed[index + 1]);
      const value: StateValue | undefined =
        result.counter === undefined ? write.value : { kind: "counter", value: result.counter };
      write.state = "executed";
      this.#overlay.add(write.key, number, value);
      write.answer?.resolve(result);
    }
  }

  #settleStored(storedBelow: number, counters: Float64Array | undefined): void {
    let count = Math.max(0, storedBelow - this.#firstNumber);
    // A rejected write leaves too, once nothing before it waits.
    while (this.#pending[count]?.state === "rejected") count += 1;
    if (count === 0) return;
    const settled = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    let number = this.#firstNumber;
    let counterIndex = 0;
    this.#firstNumber += count;
    for (const write of settled) {
      this.#bytesInFlight -= write.bytes;
      this.#overlay.drop(write.key, number);
      number += 1;
      if (write.state === "rejected") continue;
      for (const gate of write.gates ?? []) gate.release();
      if (write.level !== "durable") continue;
      write.answer?.resolve(toResult(counters?.[counterIndex]));
      counterIndex += 1;
    }
    if (this.#pending.length === 0) this.#becomeIdle();
  }

  /** A2 of a gate: what it reads is a write that is not stored yet. */
  #holdUntilStored(number: number, gate: OutputGate | undefined): void {
    const { gates } = this.#pendingAt(number);
    if (gates === undefined) return;
    assert(gate !== undefined, "a client whose writes go through gates reads through gates");
    if (gates.has(gate)) return;
    gates.add(gate);
    gate.hold();
  }

  #pendingAt(number: number): PendingWrite {
    const write = this.#pending[number - this.#firstNumber];
    if (write === undefined) throw new RangeError(`write ${number} was settled before`);
    return write;
  }

  /** No answer comes any more: what is not settled is rejected, and so is every later write. */
  #end(error: KvsError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#refused ??= error;
    const pending = this.#pending;
    this.#pending = [];
    this.#overlay.clear();
    this.#bytesInFlight = 0;
    for (const write of pending) {
      if (write.state === "waiting") write.answer?.reject(error);
      if (write.state === "rejected") continue;
      for (const gate of write.gates ?? []) gate.fail(error);
    }
    this.#becomeIdle();
    this.#connection.port.close();
  }

  #becomeIdle(): void {
    this.#connection.port.unref();
    this.#idle?.resolve();
  }

  async #closeAfterWrites(): Promise<void> {
    this.#refused ??= closed();
    if (this.#pending.length > 0) {
      this.#idle = Promise.withResolvers<void>();
      await this.#idle.promise;
    }
    this.#isClosed = true;
    this.#end(closed());
    await this.#environment.close();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw closed();
  }
}

/** Every larger delta leaves the range of a counter, whatever it holds. */
const ADD_MAX = COUNTER_MAX * 2n;

function valueAfter(mutation: Mutation): StateValue | undefined {
  // A copy: the caller's memory is its own again, and a Buffer's `slice` would be a view of it.
  return mutation.kind === "put"
    ? { kind: "register", value: new Uint8Array(mutation.value) }
    : undefined;
}

function toResult(counter: number | undefined): WriteResult {
  return counter === undefined || Number.isNaN(counter) ? NO_RESULT : { counter: BigInt(counter) };
}

function closed(): KvsError {
  return new KvsError("STORE_CLOSED", "the store is closed");
}
