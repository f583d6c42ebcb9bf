import type { MessagePort } from "node:worker_threads";
import type { KvsError } from "../errors.ts";
import type { Write } from "./group-commit.ts";
import type { ClientReply, RejectedWrite } from "./protocol.ts";

/** A write, and where its answer goes. */
export interface LinkedWrite extends Write {
  readonly link: ClientLink;
  readonly number: number;
}

/** The storage thread's end of a client: collects answers, and posts them as one message. */
export class ClientLink {
  readonly #port: MessagePort;
  readonly #flushed = Promise.withResolvers<void>();
  #writesReceived = 0;
  #storedBelow = 0;
  #executed: number[] = [];
  #counters: number[] = [];
  #rejected: RejectedWrite[] = [];

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Numbers the writes of a message. */
  receive(writes: Iterable<Write>): LinkedWrite[] {
    const received: LinkedWrite[] = [];
    for (const { key, mutation, level } of writes) {
      received.push({ key, mutation, level, link: this, number: this.#writesReceived });
      this.#writesReceived += 1;
    }
    return received;
  }

  executed(write: LinkedWrite, counter: bigint | undefined): void {
    // A client answers these itself, and asks for `async` where it wants an answer.
    if (write.level === "memory" || (write.level === "gated" && write.mutation.kind !== "add")) {
      return;
    }
    this.#executed.push(write.number, toDouble(counter));
  }

  stored(write: LinkedWrite, counter: bigint | undefined): void {
    this.#storedBelow = write.number + 1;
    if (write.level === "durable") this.#counters.push(toDouble(counter));
  }

  rejected(write: LinkedWrite, error: KvsError): void {
    this.#rejected.push({ number: write.number, error: error.toWire() });
  }

  /** Posts what was collected since the last flush. */
  flush(): void {
    const reply: ClientReply = {
      kind: "settled",
      executed: this.#executed.length === 0 ? undefined : Float64Array.from(this.#executed),
      storedBelow: this.#storedBelow,
      counters: this.#counters.length === 0 ? undefined : Float64Array.from(this.#counters),
      rejected: this.#rejected.length === 0 ? undefined : this.#rejected,
    };
    this.#executed = [];
    this.#counters = [];
    this.#rejected = [];
    this.#port.postMessage(reply);
  }

  /** Asks for what the client has not posted yet; `isFlushed` settles when that is here. */
  askToFlush(): void {
    const reply: ClientReply = { kind: "closing" };
    this.#port.postMessage(reply);
  }

  /** Settles when the client has posted all it ever will, or is gone. */
  get isFlushed(): Promise<void> {
    return this.#flushed.promise;
  }

  flushed(): void {
    this.#flushed.resolve();
  }

  end(error: KvsError): void {
    const reply: ClientReply = { kind: "ended", error: error.toWire() };
    this.#port.postMessage(reply);
    this.#port.close();
  }
}

/** Counters stay within what a double holds exactly (`COUNTER_MAX`). */
function toDouble(counter: bigint | undefined): number {
  return counter === undefined ? Number.NaN : Number(counter);
}
