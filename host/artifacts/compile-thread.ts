import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { HostError } from "../errors.ts";
import type { CompileReply, CompileRequest, CompileThreadData } from "./compile-messages.ts";
import type { CompileBounds } from "./component-limits.ts";

export interface CompileThreadOptions {
  readonly artifactDirectory: string;
  /** Whether a thread serves more than one request: each may run code of another tenant. */
  readonly isReused: boolean;
  /** Without work for so long, the thread ends; the next request starts it again. */
  readonly idleMs: number;
}

interface Task {
  readonly request: CompileRequest;
  readonly bounds: CompileBounds;
  readonly resolve: (reply: CompileReply) => void;
  readonly reject: (error: HostError) => void;
}

/** Young generation and code: beside the heap that the configuration speaks of. */
const YOUNG_GENERATION_MIB = 32;

// Owns one compile thread: starts it when there is work, ends it when there is none, and replaces it
// when it exceeds a limit.
//
// H1. It has one request at a time; whoever has more waits for the end of the last (`compile-pool.ts`).
// H2. Every request is settled exactly once, also when the thread dies.
// H3. The clock of a request starts when the thread takes it, and not while the thread starts.
// H4. A thread has one heap for its life: a request that may have more or less gets a new one.
export class CompileThread {
  readonly #options: CompileThreadOptions;
  /** Waits until the thread has started. */
  #waiting: Task | undefined;
  #current: Task | undefined;
  #worker: Worker | undefined;
  #heapMibMax: number | undefined;
  #isReady = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: CompileThreadOptions) {
    this.#options = options;
  }

  /** Starts the thread before there is work for it. */
  warmUp({ heapMibMax }: CompileBounds): void {
    if (this.#worker === undefined && !this.#isClosed) this.#start(heapMibMax);
  }

  /** Of the thread that runs; undefined where none does. */
  get heapMibMax(): number | undefined {
    return this.#worker && this.#heapMibMax;
  }

  run(request: CompileRequest, bounds: CompileBounds): Promise<CompileReply> {
    if (this.#isClosed) {
      return Promise.reject(new HostError("HOST_DRAINING", "the host is shutting down"));
    }
    assert(this.#waiting === undefined && this.#current === undefined);
    return new Promise((resolve, reject) => {
      this.#waiting = { request, bounds, resolve, reject };
      if (this.heapMibMax === bounds.heapMibMax) return this.#next();
      void this.#end(undefined);
      this.#start(bounds.heapMibMax);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const draining = new HostError("HOST_DRAINING", "the host is shutting down");
    this.#waiting?.reject(draining);
    this.#waiting = undefined;
    await this.#end(draining);
  }

  #start(heapMibMax: number): void {
    const workerData: CompileThreadData = { artifactDirectory: this.#options.artifactDirectory };
    const worker = new Worker(new URL("compile-worker.ts", import.meta.url), {
      workerData,
      name: "compile",
      env: threadEnvironment(),
      resourceLimits: {
        maxOldGenerationSizeMb: heapMibMax,
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB,
      },
    });
    worker.unref();
    this.#worker = worker;
    this.#heapMibMax = heapMibMax;
    this.#isReady = false;
    worker.on("message", (reply: CompileReply) => this.#onReply(worker, reply));
    worker.on("error", (cause: unknown) => this.#onDead(worker, cause));
    worker.on("exit", () => this.#onDead(worker, undefined));
  }

  #next(): void {
    if (!this.#isReady || this.#current !== undefined) return;
    clearTimeout(this.#timer);
    const task = this.#waiting;
    if (task === undefined) {
      this.#timer = setTimeout(() => void this.#end(undefined), this.#options.idleMs).unref();
      return;
    }
    this.#waiting = undefined;
    this.#current = task;
    const { timeMaxMs } = task.bounds;
    this.#timer = setTimeout(() => {
      const message = `compiling and describing the component took more than ${timeMaxMs} ms`;
      const details = { compileMsMax: timeMaxMs };
      void this.#end(new HostError("COMPILE_LIMIT_EXCEEDED", message, { details }));
    }, timeMaxMs);
    this.#worker?.postMessage(task.request);
  }

  #onReply(worker: Worker, reply: CompileReply): void {
    if (worker !== this.#worker) return;
    if (reply.kind === "ready") {
      this.#isReady = true;
    } else {
      const task = this.#current;
      assert(task !== undefined);
      this.#current = undefined;
      task.resolve(reply);
      if (!this.#options.isReused) {
        void this.#end(undefined);
        return;
      }
    }
    this.#next();
  }

  #onDead(worker: Worker, cause: unknown): void {
    if (worker !== this.#worker) return;
    const compileHeapMibMax = this.#heapMibMax;
    this.#forget();
    const isMemory = errorCode(cause) === "ERR_WORKER_OUT_OF_MEMORY";
    const error = isMemory
      ? new HostError(
          "COMPILE_LIMIT_EXCEEDED",
          `compiling and describing the component took more than ${compileHeapMibMax} MiB of heap`,
          { details: { compileHeapMibMax }, cause },
        )
      : new HostError("INTERNAL", "internal error", { cause });
    // A thread that dies before it is ready would do so again: fail what waits, do not spin.
    const failed = this.#current ?? this.#waiting;
    this.#current = undefined;
    this.#waiting = undefined;
    failed?.reject(error);
  }

  /** Terminates the thread. What it was working on fails with the error. */
  async #end(error: HostError | undefined): Promise<void> {
    const worker = this.#worker;
    const task = this.#current;
    this.#forget();
    this.#current = undefined;
    if (error !== undefined) task?.reject(error);
    await worker?.terminate();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#worker = undefined;
    this.#isReady = false;
  }
}

/** The thread runs guest code: of the host's environment it gets where its own code is kept, and nothing else. */
function threadEnvironment(): NodeJS.Dict<string> {
  const codeCache = process.env["NODE_COMPILE_CACHE"];
  return codeCache === undefined ? {} : { NODE_COMPILE_CACHE: codeCache };
}

/** The reply of the kind that was asked for, or the refusal as an error. */
export function expectReply<Kind extends "compiled" | "loaded">(
  reply: CompileReply,
  kind: Kind,
): Extract<CompileReply, { readonly kind: Kind }> {
  if (reply.kind === "refused") {
    const { code, message, details } = reply.error;
    throw new HostError(code, message, { details, cause: reply.bug });
  }
  assert(isKind(reply, kind));
  return reply;
}

function isKind<Kind extends CompileReply["kind"]>(
  reply: CompileReply,
  kind: Kind,
): reply is Extract<CompileReply, { readonly kind: Kind }> {
  return reply.kind === kind;
}

function errorCode(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
}
