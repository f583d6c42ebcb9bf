import { Worker } from "node:worker_threads";
import type { StorageThread } from "@downpour/kvs";
import type {
  ExecutorReply,
  ExecutorRequest,
  ExecutorThreadData,
  ExecutorTuning,
} from "../protocol.ts";

const ENTRY = new URL("../executor/executor-thread.ts", import.meta.url);

export type ExecutorState = "starting" | "ready" | "ending" | "dead";

export interface ExecutorEvents {
  readonly onReplies: (executor: ExecutorHandle, replies: readonly ExecutorReply[]) => void;
  /** Fires once, whatever ended the thread. */
  readonly onDead: (executor: ExecutorHandle, cause: Error | undefined) => void;
}

/** A thread that loads the executor's code, and waits for an `ExecutorHandle` that gives it its work. */
export function startExecutorWorker(id: number): Worker {
  return new Worker(ENTRY, { name: `executor-${id}` });
}

// Owns one executor thread: starts it, posts to it in batches, ends it. It does not decide what runs
// there, nor whether the thread is replaced (`scheduler.ts`).
//
// H1. A thread is in exactly one of: starting, ready, ending, dead.
// H2. Requests of one turn of the event loop leave in one message, in order; to a dead thread, none.
// H3. A thread is terminated only once it is ready or dead: one that ends while it opens the store
//     takes the process with it.
// H4. `inFlight` is the scheduler's count; this file only keeps it beside the thread it is about.
export class ExecutorHandle {
  readonly id: number;
  #state: ExecutorState = "starting";
  #wasReady = false;
  inFlight = 0;
  readonly #startedCell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #sequence = 0;
  readonly #worker: Worker;
  readonly #events: ExecutorEvents;
  readonly #started = Promise.withResolvers<void>();
  #outbox: ExecutorRequest[] = [];

  constructor(options: {
    readonly id: number;
    readonly storage: StorageThread;
    /** A thread that nobody owns yet; without one, a new one is started. */
    readonly worker: Worker | undefined;
    readonly tuning: ExecutorTuning;
    readonly events: ExecutorEvents;
  }) {
    this.id = options.id;
    this.#events = options.events;
    const connection = options.storage.connect();
    const data: ExecutorThreadData = {
      storage: connection,
      tuning: options.tuning,
      started: this.#startedCell.buffer,
    };
    this.#worker = options.worker ?? startExecutorWorker(options.id);
    this.#worker.postMessage(data, [connection.port]);
    let cause: Error | undefined;
    this.#worker.on("message", (replies: readonly ExecutorReply[]) => {
      if (replies[0]?.kind === "ready") {
        if (this.#state === "starting") this.#state = "ready";
        this.#wasReady = true;
        this.#started.resolve();
      }
      this.#events.onReplies(this, replies);
    });
    this.#worker.on("error", (error) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.on("exit", () => {
      this.#state = "dead";
      this.#started.resolve();
      this.#events.onDead(this, cause);
    });
  }

  get state(): ExecutorState {
    return this.#state;
  }

  /** It got as far as to serve, whatever ended it since. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** The number of the next invocation sent here. */
  nextSequence(): number {
    this.#sequence = (this.#sequence + 1) | 0;
    return this.#sequence;
  }

  /** Whether the thread got as far as to start the invocation of this number; also asked when it is dead. */
  hasStarted(sequence: number): boolean {
    return ((Atomics.load(this.#startedCell, 0) - sequence) | 0) >= 0;
  }

  send(request: ExecutorRequest): void {
    if (this.#state === "dead") return;
    this.#outbox.push(request);
    if (this.#outbox.length === 1) setImmediate(() => this.#flush());
  }

  /** Resolves when the thread is ready, or dead before that. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  async terminate(): Promise<void> {
    if (this.#state !== "dead") this.#state = "ending";
    await this.#started.promise;
    await this.#worker.terminate();
  }

  #flush(): void {
    const batch = this.#outbox;
    this.#outbox = [];
    if (this.#state !== "dead") this.#worker.postMessage(batch);
  }
}
