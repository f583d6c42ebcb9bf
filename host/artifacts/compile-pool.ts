import { HostError } from "../errors.ts";
import type { CompileReply, CompileRequest } from "./compile-messages.ts";
import { CompileThread } from "./compile-thread.ts";
import type { CompileThreadOptions } from "./compile-thread.ts";
import type { CompileBounds } from "./component-limits.ts";

export interface CompilePoolOptions extends CompileThreadOptions {
  readonly threads: number;
  /** Requests of all tenants that wait. */
  readonly queueDepthMax: number;
}

interface Task {
  readonly request: CompileRequest;
  readonly bounds: CompileBounds;
  readonly resolve: (reply: Promise<CompileReply>) => void;
  readonly reject: (error: HostError) => void;
}

// Shares compile threads among tenants.
//
// C1. A tenant has one thread at most, so that one whose components take all the time they may leaves
//     the others a thread; those that wait take turns, one request each.
// C2. At most `queueDepthMax` wait. When one more comes, whoever has the most waiting loses its latest:
//     many requests of one tenant keep no other tenant's out.
export class CompilePool {
  readonly #queueDepthMax: number;
  readonly #idle: CompileThread[];
  readonly #threads: readonly CompileThread[];
  /** What waits, by tenant, in the order of their turns. None is empty. */
  readonly #waiting = new Map<string, Task[]>();
  readonly #running = new Set<string>();
  #queued = 0;
  #isClosed = false;

  constructor({ threads, queueDepthMax, ...options }: CompilePoolOptions) {
    this.#queueDepthMax = queueDepthMax;
    this.#threads = Array.from({ length: threads }, () => new CompileThread(options));
    this.#idle = [...this.#threads];
  }

  /** Starts a thread before there is work for it. */
  warmUp(bounds: CompileBounds): void {
    this.#idle.at(-1)?.warmUp(bounds);
  }

  run(request: CompileRequest, bounds: CompileBounds): Promise<CompileReply> {
    const { tenantId } = request;
    if (this.#isClosed) return Promise.reject(draining());
    const { promise, resolve, reject } = Promise.withResolvers<CompileReply>();
    const tasks = this.#waiting.get(tenantId) ?? [];
    tasks.push({ request, bounds, resolve, reject });
    this.#waiting.set(tenantId, tasks);
    this.#queued += 1;
    this.#next();
    if (this.#queued > this.#queueDepthMax) this.#dropOne();
    return promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const task of [...this.#waiting.values()].flat()) task.reject(draining());
    this.#waiting.clear();
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  #next(): void {
    for (const [tenantId, tasks] of this.#waiting) {
      if (this.#running.has(tenantId)) continue;
      if (this.#idle.length === 0) return;
      const task = tasks.shift();
      this.#waiting.delete(tenantId);
      // To the end of the line. A map visits what is added while it is walked.
      if (tasks.length > 0) this.#waiting.set(tenantId, tasks);
      if (task === undefined) continue;
      const [thread] = this.#idle.splice(this.#bestIdle(task.bounds), 1);
      if (thread !== undefined) void this.#take(thread, tenantId, task);
    }
  }

  /** One that need not be started anew; else (-1) the one that was used last: it is warm, and the others may end. */
  #bestIdle({ heapMibMax }: CompileBounds): number {
    return this.#idle.findLastIndex((thread) => thread.heapMibMax === heapMibMax);
  }

  async #take(thread: CompileThread, tenantId: string, task: Task): Promise<void> {
    this.#queued -= 1;
    this.#running.add(tenantId);
    const reply = thread.run(task.request, task.bounds);
    task.resolve(reply);
    await Promise.allSettled([reply]);
    this.#running.delete(tenantId);
    this.#idle.push(thread);
    if (!this.#isClosed) this.#next();
  }

  #dropOne(): void {
    let [longest] = this.#waiting;
    for (const entry of this.#waiting) {
      // Of equals the one that came last: the others have waited longer.
      if (entry[1].length >= (longest?.[1].length ?? 0)) longest = entry;
    }
    if (longest === undefined) return;
    const [tenantId, tasks] = longest;
    const task = tasks.pop();
    if (tasks.length === 0) this.#waiting.delete(tenantId);
    this.#queued -= 1;
    task?.reject(
      new HostError("QUEUE_FULL", "too many uploads wait to be compiled", {
        details: { compileQueueDepthMax: this.#queueDepthMax, retryAfterMs: RETRY_AFTER_MS },
      }),
    );
  }
}

const RETRY_AFTER_MS = 1_000;

function draining(): HostError {
  return new HostError("HOST_DRAINING", "the host is shutting down");
}
