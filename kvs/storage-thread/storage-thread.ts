import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { MessageChannel, Worker } from "node:worker_threads";
import { KvsError } from "../errors.ts";
import { spaceOf } from "../key-space.ts";
import type { SpaceLimits } from "../key-space.ts";
import type { StateClient } from "../state-client.ts";
import { StoreSignals } from "../store/store-signals.ts";
import { connectStateClient } from "./connected-client.ts";
import type { GroupLimits } from "./group-commit.ts";
import { CLIENT_LIMITS } from "./protocol.ts";
import type {
  ClientLimits,
  StateConnection,
  StorageReply,
  StorageRequest,
  StorageThreadData,
} from "./protocol.ts";
import { WriteCounts } from "./write-counts.ts";

/** How long a thread that hangs in a call is asked to exit before it is terminated. */
const ABANDON_GRACE_MS = 2_000;

export interface StorageThreadOptions {
  /** It is created if it is not there, and belongs to the store alone. */
  readonly directory: string;
  readonly clientLimits?: Partial<ClientLimits>;
  readonly groupLimits?: Partial<GroupLimits>;
}

export interface StorageThreadStats {
  /** Groups stored, each with one fsync, since the start. */
  readonly commits: number;
  /** Writes stored in them. */
  readonly writes: number;
}

/**
 * The handle of the thread that owns every write.
 *
 * O1. After it has ended, in whatever way, every write is settled and nothing hangs; reads go on in
 *     the threads that have connected before.
 * O2. `failed` settles if and only if it ended in another way than by `close` or `terminate`. What is
 *     stored is known only by opening it again: end the process, or start another thread.
 */
export interface StorageThread {
  /**
   * For one more thread: post it with its `port` transferred, and call `connectStateClient` there.
   * That thread may be terminated at any time before that call or after it, and never inside it.
   */
  connect(): StateConnection;
  /** A client for the calling thread. */
  client(): StateClient;
  /**
   * What a space may hold (`spaceOf`), for the writes that the thread executes after it hears of it; undefined for
   * no limits. It is not stored: say it again after each start, before anything is written.
   */
  limitSpace(space: string, limits: SpaceLimits | undefined): void;
  stats(): StorageThreadStats;
  readonly failed: Promise<KvsError>;
  /**
   * Stores what was written, and gives the directory free. Later writes reject with `STORE_CLOSED`.
   * Rejects if answered writes of level async or memory could not be stored (a full disk).
   */
  close(): Promise<void>;
  /** Ends the thread with nothing drained, as a crash would: writes under way reject. */
  terminate(): Promise<void>;
}

/** Opens the store in a thread of its own. Rejects with one of the `STORE_` errors. */
export async function startStorageThread(options: StorageThreadOptions): Promise<StorageThread> {
  const signals = new StoreSignals();
  const counts = new WriteCounts();
  const data: StorageThreadData = {
    directory: options.directory,
    signals: signals.shared,
    counts: counts.shared,
    groupLimits: options.groupLimits ?? {},
  };
  const worker = new Worker(new URL("./thread.ts", import.meta.url), {
    name: "storage",
    workerData: data,
  });
  const limits = { ...CLIENT_LIMITS, ...options.clientLimits };
  const thread = new RunningStorageThread(worker, { data, signals, counts, limits });
  await thread.ready;
  return thread;
}

class RunningStorageThread implements StorageThread {
  readonly ready: Promise<void>;
  readonly failed: Promise<KvsError>;
  readonly #worker: Worker;
  readonly #directory: string;
  readonly #signals: StoreSignals;
  readonly #counts: WriteCounts;
  readonly #limits: ClientLimits;
  readonly #ready = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<KvsError>();
  readonly #exited = Promise.withResolvers<void>();
  #error: KvsError | undefined;
  #closeError: KvsError | undefined;
  #isEnding = false;

  constructor(
    worker: Worker,
    parts: {
      readonly data: StorageThreadData;
      readonly signals: StoreSignals;
      readonly counts: WriteCounts;
      readonly limits: ClientLimits;
    },
  ) {
    this.#worker = worker;
    this.#directory = parts.data.directory;
    this.#signals = parts.signals;
    this.#counts = parts.counts;
    this.#limits = parts.limits;
    this.ready = this.#ready.promise;
    this.failed = this.#failed.promise;
    worker.on("message", (reply: StorageReply) => {
      this.#receive(reply);
    });
    worker.on("error", (cause) => {
      this.#error ??= new KvsError("STORE_UNAVAILABLE", "the storage thread has failed", { cause });
    });
    worker.on("exit", () => {
      this.#end();
    });
  }

  connect(): StateConnection {
    if (this.#isEnding || this.#signals.hasEnded) {
      throw this.#error ?? new KvsError("STORE_CLOSED", "the store is closed");
    }
    const { port1, port2 } = new MessageChannel();
    const request: StorageRequest = { kind: "connect", port: port1 };
    this.#worker.postMessage(request, [port1]);
    return {
      port: port2,
      directory: this.#directory,
      signals: this.#signals.shared,
      limits: this.#limits,
    };
  }

  client(): StateClient {
    return connectStateClient(this.connect());
  }

  limitSpace(space: string, limits: SpaceLimits | undefined): void {
    assert(spaceOf(space) === space);
    const request: StorageRequest = { kind: "limit-space", space, limits };
    this.#worker.postMessage(request);
  }

  stats(): StorageThreadStats {
    return { commits: this.#counts.commits, writes: this.#counts.writes };
  }

  async close(): Promise<void> {
    if (!this.#isEnding) {
      this.#isEnding = true;
      const request: StorageRequest = { kind: "close" };
      this.#worker.postMessage(request);
    }
    await this.#exited.promise;
    if (this.#closeError !== undefined) throw this.#closeError;
  }

  async terminate(): Promise<void> {
    this.#isEnding = true;
    const request: StorageRequest = { kind: "abandon" };
    this.#worker.postMessage(request);
    // Asked first: a thread that is terminated inside a call of lmdb may take the process with it.
    const isLate = await Promise.race([
      this.#exited.promise.then(() => false),
      setTimeout(ABANDON_GRACE_MS, true, { ref: false }),
    ]);
    if (isLate) await this.#worker.terminate();
    await this.#exited.promise;
  }

  #receive(reply: StorageReply): void {
    switch (reply.kind) {
      case "ready":
        this.#ready.resolve();
        break;
      case "failed":
        this.#error ??= KvsError.fromWire(reply.error);
        // The thread may hang in the very call that has failed: what depends on it goes on.
        this.#end();
        break;
      case "closed":
        if (reply.error !== undefined) this.#closeError = KvsError.fromWire(reply.error);
        break;
    }
  }

  #end(): void {
    if (this.#signals.hasEnded) return;
    this.#signals.announceEnd();
    const error =
      this.#error ?? new KvsError("STORE_UNAVAILABLE", "the storage thread ended unexpectedly");
    this.#ready.reject(error);
    if (!this.#isEnding) {
      this.#error = error;
      this.#failed.resolve(error);
    } else if (this.#error !== undefined) {
      this.#closeError ??= this.#error;
    }
    this.#exited.resolve();
  }
}
