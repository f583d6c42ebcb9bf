import { Worker } from "node:worker_threads";
import type { StorageThread } from "@downpour/kvs";
import { EXECUTOR_CELLS, EXECUTOR_CELLS_BYTES, STARTED_KEPT } from "../protocol.ts";
import type {
  ExecutorReply,
  ExecutorRequest,
  ExecutorThreadData,
  ExecutorTuning,
  TenantInstances,
} from "../protocol.ts";

/**
 * What is sent to a thread ahead of what it has started, in processor time: so much that it does not
 * run dry between two messages, and so little that whoever comes next waits for milliseconds, whatever
 * was sent. What is not sent waits on the main thread, where tenants take turns. With one tenant
 * alone there is nobody to wait for it, and large messages are cheaper.
 */
const SENT_AHEAD_US_MAX = { shared: 2_000, alone: 12_000 };
const SENT_AHEAD_MAX = STARTED_KEPT / 2;

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
// H5. What a thread has started, and whose guest holds it, is read from memory that it shares: also
//     from one that does not answer, or is dead.
export class ExecutorHandle {
  readonly id: number;
  #state: ExecutorState = "starting";
  #wasReady = false;
  inFlight = 0;
  /** What it said last of the instances there. */
  holds: readonly TenantInstances[] = [];
  /** It takes nothing more; the scheduler ends it when it is empty. */
  isRetiring = false;
  #tenantId: string | undefined;
  #ownedSinceMs = 0;
  readonly #cells = new Int32Array(new SharedArrayBuffer(EXECUTOR_CELLS_BYTES));
  #sequence = 0;
  /** So many starts are known. */
  #startsSeen = 0;
  /** Sent and not known to have started: how long each will probably hold the thread. */
  readonly #unstarted = new Map<number, number>();
  #unstartedUs = 0;
  #isFull = false;
  /** One that computes for longer is put aside after so much. */
  readonly #sliceUs: number;
  #beats = 0;
  #beatAtMs = 0;
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
    this.#sliceUs = options.tuning.sliceMs * 1_000;
    const connection = options.storage.connect();
    const data: ExecutorThreadData = {
      storage: connection,
      tuning: options.tuning,
      cells: this.#cells.buffer,
    };
    this.#worker = options.worker ?? startExecutorWorker(options.id);
    this.#worker.postMessage(data, [connection.port]);
    let cause: Error | undefined;
    this.#worker.on("message", (replies: readonly ExecutorReply[]) => {
      if (replies[0]?.kind === "ready") {
        if (this.#state === "starting") this.#state = "ready";
        this.#beatAtMs = performance.now();
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

  /**
   * Whether another invocation of so much processor time may be sent now, as tenants share the
   * threads or one has them alone. One may always be sent where none waits there.
   */
  hasRoomFor(estimateUs: number, use: keyof typeof SENT_AHEAD_US_MAX): boolean {
    this.#forgetStarted();
    if (this.#unstarted.size === 0) return true;
    const sentUsMax = SENT_AHEAD_US_MAX[use];
    // Half of it is left to be done first: then what follows is half a message's worth at least.
    if (this.#isFull && this.#unstartedUs * 2 > sentUsMax) return false;
    this.#isFull =
      this.#unstarted.size >= SENT_AHEAD_MAX ||
      this.#unstartedUs + Math.min(estimateUs, this.#sliceUs) > sentUsMax;
    return !this.#isFull;
  }

  /** Whose guests it runs: of the first tenant, where threads are not shared. */
  get tenantId(): string | undefined {
    return this.#tenantId;
  }

  get ownedSinceMs(): number {
    return this.#ownedSinceMs;
  }

  mayBeOf(tenantId: string): boolean {
    return !this.isRetiring && (this.#tenantId ?? tenantId) === tenantId;
  }

  own(tenantId: string, nowMs: number): void {
    if (this.#tenantId !== undefined) return;
    this.#tenantId = tenantId;
    this.#ownedSinceMs = nowMs;
  }

  /** The number of an invocation that is about to be sent here. */
  nextSequence(estimateUs: number): number {
    this.#sequence = (this.#sequence + 1) | 0;
    const heldUs = Math.min(estimateUs, this.#sliceUs);
    this.#unstarted.set(this.#sequence, heldUs);
    this.#unstartedUs += heldUs;
    return this.#sequence;
  }

  /** It ended, whether it had started or not. */
  forget(sequence: number): void {
    const heldUs = this.#unstarted.get(sequence);
    if (heldUs === undefined) return;
    this.#unstarted.delete(sequence);
    this.#unstartedUs -= heldUs;
  }

  /** Whether the thread got as far as to start the invocation of this number; also asked when it is dead. */
  hasStarted(sequence: number): boolean {
    this.#forgetStarted();
    return !this.#unstarted.has(sequence);
  }

  /** The number of the invocation whose guest holds the thread; 0 where none does. */
  get holder(): number {
    return Atomics.load(this.#cells, EXECUTOR_CELLS.holder);
  }

  /** For how long the thread has not come back to its events, as far as whoever asks again and again can tell. */
  turnAgeMs(nowMs: number): number {
    const beats = Atomics.load(this.#cells, EXECUTOR_CELLS.beats);
    if (beats !== this.#beats || this.#state !== "ready") {
      this.#beats = beats;
      this.#beatAtMs = nowMs;
    }
    return nowMs - this.#beatAtMs;
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

  #forgetStarted(): void {
    const starts = Atomics.load(this.#cells, EXECUTOR_CELLS.started);
    for (; this.#startsSeen !== starts; this.#startsSeen = (this.#startsSeen + 1) | 0) {
      const cell = EXECUTOR_CELLS.startedLately + (this.#startsSeen & (STARTED_KEPT - 1));
      this.forget(Atomics.load(this.#cells, cell));
    }
  }

  #flush(): void {
    const batch = this.#outbox;
    this.#outbox = [];
    if (this.#state !== "dead") this.#worker.postMessage(batch);
  }
}
