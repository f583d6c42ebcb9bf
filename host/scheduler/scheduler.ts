import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Worker } from "node:worker_threads";
import type { StorageThread } from "@downpour/kvs";
import type { CompiledComponent } from "../engine/engine.ts";
import { HostError } from "../errors.ts";
import { unreachable } from "../protocol.ts";
import type {
  ExecutorReply,
  ExecutorTuning,
  InvocationUsage,
  LogEntry,
  Outcome,
} from "../protocol.ts";
import { BoundedQueue } from "./bounded-queue.ts";
import type { DeployedApp, InvocationRecord, InvokeRequest, InvokeResult } from "./deployed-app.ts";
import { ExecutorHandle } from "./executor-handle.ts";
import type { ExecutorState } from "./executor-handle.ts";
import { warmFirst } from "./placement.ts";

export interface SchedulerTuning {
  readonly executorCount: number;
  /** Invocations on one executor at once: most of them wait for state, and hold no thread. */
  readonly inFlightPerExecutorMax: number;
  /** An executor that has not ended a cancelled invocation by then does not answer: it is replaced. */
  readonly cancelGraceMs: number;
  /** Input of waiting invocations, of one app and of all: a queue is bounded in bytes as well as in calls. */
  readonly queuedBytesPerAppMax: number;
  readonly queuedBytesMax: number;
  /** A revision that nobody called for so long is unloaded; its next call loads it again. */
  readonly revisionIdleMs: number;
  readonly executor: ExecutorTuning;
}

export interface SchedulerOptions {
  readonly storage: StorageThread;
  /** Threads that load the executor's code already, for the first executors; the scheduler owns them from now on. */
  readonly workers?: readonly Worker[];
  readonly tuning: SchedulerTuning;
  readonly logger: {
    readonly warn: (details: object, message: string) => void;
    readonly error: (details: object, message: string) => void;
  };
  readonly onLog: (entries: readonly LogEntry[]) => void;
  readonly onSettled: (record: InvocationRecord) => void;
}

export interface SchedulerStats {
  readonly executors: readonly {
    readonly id: number;
    readonly state: ExecutorState;
    readonly inFlight: number;
  }[];
  readonly queued: number;
  readonly inFlight: number;
  readonly loadedRevisions: number;
}

/** An executor that dies before it is ready waits before the next try: a broken runtime must not spin. */
const RESTART_DELAY_MIN_MS = 100;
const RESTART_DELAY_MAX_MS = 10_000;
const SWEEP_INTERVAL_MS = 30_000;

const NO_USAGE: InvocationUsage = { cpuUs: 0, wallUs: 0, coldStart: false, memoryBytes: 0 };

/** One deployed revision with one configuration, and where it is loaded. */
interface Revision {
  readonly key: string;
  readonly app: DeployedApp;
  component: CompiledComponent | undefined;
  isLoading: boolean;
  isSuperseded: boolean;
  inFlight: number;
  lastUsedAtMs: number;
  readonly preparedOn: Set<ExecutorHandle>;
}

interface AppSlot {
  readonly tenantId: string;
  readonly app: string;
  revision: Revision;
  readonly queue: BoundedQueue<Ticket>;
  queuedBytes: number;
  inFlight: number;
  /** For whoever removed the app, and waits until nothing of it runs. */
  onIdle: (() => void) | undefined;
}

interface Ticket {
  readonly invocationId: string;
  readonly slot: AppSlot;
  readonly request: InvokeRequest;
  readonly acceptedAtMs: number;
  readonly deadlineAtMs: number;
  /** Answers the caller; undefined once it has been answered. */
  answer: ((outcome: Outcome) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
  detach: (() => void) | undefined;
  running:
    | {
        readonly revision: Revision;
        readonly executor: ExecutorHandle;
        readonly sequence: number;
        readonly atMs: number;
      }
    | undefined;
  errorCode: string | undefined;
}

// The data plane's main-thread half: admits invocations, queues them, gives them to executors, and
// answers each. Decisions are pure functions (`placement.ts`); this file owns the state they judge.
//
// D1. Every admitted invocation is answered exactly once, also when its executor dies.
// D2. An app has at most `concurrencyMax` invocations in flight and `queueDepthMax` waiting; past that
//     a call is refused, never dropped.
// D3. An invocation runs the revision that is active when it leaves the queue, and ends on it, whatever
//     is deployed meanwhile.
// D4. An executor that does not answer is terminated and replaced. What else had started on it fails,
//     retryable; what had not started goes back to the front of its queue.
// D5. Apps that wait take turns: one invocation each.
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #tuning: SchedulerTuning;
  readonly #slots = new Map<string, AppSlot>();
  readonly #tickets = new Map<string, Ticket>();
  /** Apps with something queued and below their concurrency, in turn. */
  readonly #waiting = new Set<AppSlot>();
  readonly #loaded = new Set<Revision>();
  readonly #executors: (ExecutorHandle | undefined)[] = [];
  readonly #restartDelayMs: number[] = [];
  readonly #sweep: NodeJS.Timeout;
  #queued = 0;
  #queuedBytes = 0;
  #revisions = 0;
  #state: "running" | "draining" | "stopped" = "running";
  #onIdle: (() => void) | undefined;
  readonly #onDrained = new Map<ExecutorHandle, () => void>();

  private constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#tuning = options.tuning;
    this.#sweep = setInterval(() => this.#unloadIdle(Date.now()), SWEEP_INTERVAL_MS);
    this.#sweep.unref();
  }

  /** Resolves when every executor is ready. */
  static async start(options: SchedulerOptions): Promise<Scheduler> {
    const scheduler = new Scheduler(options);
    const ready: Promise<void>[] = [];
    for (let index = 0; index < options.tuning.executorCount; index += 1) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      scheduler.#restartDelayMs[index] = RESTART_DELAY_MIN_MS;
      const worker = options.workers?.[index];
      scheduler.#startExecutor(index, { worker, ready: resolve, dead: reject });
      ready.push(promise);
    }
    try {
      await Promise.all(ready);
    } catch (error) {
      scheduler.#state = "stopped";
      clearInterval(scheduler.#sweep);
      await scheduler.#stopAll();
      throw error;
    }
    return scheduler;
  }

  /** From now on invocations of this app run this revision; those in flight end on theirs. */
  deploy(app: DeployedApp): void {
    const { tenantId, app: name, revisionId } = app.identity;
    this.#revisions += 1;
    const revision: Revision = {
      key: `${tenantId}/${name}/${revisionId}/${this.#revisions}`,
      app,
      component: undefined,
      isLoading: false,
      isSuperseded: false,
      inFlight: 0,
      lastUsedAtMs: Date.now(),
      preparedOn: new Set(),
    };
    const slotKey = toSlotKey(tenantId, name);
    const slot = this.#slots.get(slotKey);
    if (slot === undefined) {
      const queue = new BoundedQueue<Ticket>();
      this.#slots.set(slotKey, {
        tenantId,
        app: name,
        revision,
        queue,
        queuedBytes: 0,
        inFlight: 0,
        onIdle: undefined,
      });
      return;
    }
    const previous = slot.revision;
    slot.revision = revision;
    this.#supersede(previous);
    // Its turn comes when the new revision is loaded.
    this.#waiting.delete(slot);
    this.#offer(slot);
  }

  /** Ends what runs of the app and forgets it. Settles when nothing of it runs any more. */
  async remove(tenantId: string, app: string): Promise<void> {
    const slotKey = toSlotKey(tenantId, app);
    const slot = this.#slots.get(slotKey);
    if (slot === undefined) return;
    this.#slots.delete(slotKey);
    this.#waiting.delete(slot);
    this.#supersede(slot.revision);
    const gone = new HostError("APP_NOT_FOUND", "the app was deleted");
    for (const ticket of slot.queue.drain()) {
      this.#dequeued(ticket);
      this.#settleUnstarted(ticket, gone);
    }
    for (const ticket of this.#tickets.values()) {
      if (ticket.slot === slot && ticket.running !== undefined) this.#abandon(ticket, gone);
    }
    if (slot.inFlight === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    slot.onIdle = resolve;
    await promise;
  }

  /**
   * Runs one invocation. Rejects with `HostError` only for what was never admitted (`APP_NOT_FOUND`,
   * `FUNCTION_NOT_FOUND`, `QUEUE_FULL`, `HOST_DRAINING`); what happens after that is an outcome.
   */
  async invoke(request: InvokeRequest, signal?: AbortSignal): Promise<InvokeResult> {
    if (this.#state !== "running")
      throw new HostError("HOST_DRAINING", "the host is shutting down");
    const slot = this.#slots.get(toSlotKey(request.tenantId, request.app));
    if (slot === undefined) throw new HostError("APP_NOT_FOUND", "there is no app of this name");
    const { app } = slot.revision;
    if (!app.functions.has(request.functionName)) {
      throw new HostError("FUNCTION_NOT_FOUND", "the app has no function of this name", {
        details: { app: request.app },
      });
    }
    const invocationId = randomUUID();
    const deadlineMs = Math.min(request.deadlineMs ?? app.deadlineMs, app.deadlineMs);
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const ticket: Ticket = {
      invocationId,
      slot,
      request,
      acceptedAtMs: performance.now(),
      deadlineAtMs: Date.now() + deadlineMs,
      answer: resolve,
      timer: undefined,
      detach: undefined,
      running: undefined,
      errorCode: undefined,
    };
    this.#admit(ticket);
    ticket.timer = setTimeout(() => this.#expire(ticket, deadlineMs), deadlineMs);
    if (signal !== undefined) {
      const onAbort = (): void =>
        this.#cancel(ticket, new HostError("CANCELLED", "the caller went away"));
      signal.addEventListener("abort", onAbort, { once: true });
      ticket.detach = () => signal.removeEventListener("abort", onAbort);
      if (signal.aborted) onAbort();
    }
    const outcome = await promise;
    const { revisionId } = (ticket.running?.revision ?? slot.revision).app.identity;
    return { invocationId, revisionId, outcome };
  }

  stats(): SchedulerStats {
    return {
      executors: this.#executors.flatMap((executor) =>
        executor === undefined
          ? []
          : [{ id: executor.id, state: executor.state, inFlight: executor.inFlight }],
      ),
      queued: this.#queued,
      inFlight: this.#tickets.size - this.#queued,
      loadedRevisions: this.#loaded.size,
    };
  }

  /** Refuses new invocations, lets the admitted ones end for at most `timeoutMs`, then stops the threads. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#state !== "running") return;
    this.#state = "draining";
    clearInterval(this.#sweep);
    if (this.#tickets.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onIdle = resolve;
      const timer = setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
    }
    this.#state = "stopped";
    for (const ticket of this.#tickets.values()) {
      ticket.errorCode ??= "HOST_DRAINING";
      const error = new HostError("HOST_DRAINING", "the host shut down before the function ended");
      this.#answer(ticket, { kind: "failed", error: error.toWire(), usage: NO_USAGE });
      const { running, invocationId } = ticket;
      running?.executor.send({ kind: "cancel", invocationId, error: error.toWire() });
    }
    await this.#stopAll();
  }

  /** Runs the ticket now if that is possible, else queues it; throws when the queue is full (D2). */
  #admit(ticket: Ticket): void {
    const { slot } = ticket;
    const { revision } = slot;
    revision.lastUsedAtMs = Date.now();
    const mayRun = slot.queue.depth === 0 && slot.inFlight < revision.app.concurrencyMax;
    const executor = mayRun && revision.component !== undefined ? this.#place(revision) : undefined;
    if (executor !== undefined) {
      this.#tickets.set(ticket.invocationId, ticket);
      this.#dispatch(ticket, revision, executor);
      return;
    }
    this.#enqueue(ticket, revision.app.queueDepthMax);
    this.#tickets.set(ticket.invocationId, ticket);
    this.#offer(slot);
  }

  /** Throws where the queue is full, in calls or in bytes (D2). */
  #enqueue(ticket: Ticket, queueDepthMax: number): void {
    const { slot, request } = ticket;
    const bytes = request.input.body.byteLength;
    const { queuedBytesPerAppMax, queuedBytesMax } = this.#tuning;
    if (
      slot.queuedBytes + bytes > queuedBytesPerAppMax ||
      this.#queuedBytes + bytes > queuedBytesMax
    ) {
      throw new HostError("QUEUE_FULL", "the invocations that wait hold too many bytes", {
        details: { queuedBytesPerAppMax },
      });
    }
    if (!slot.queue.push(ticket, queueDepthMax)) {
      throw new HostError("QUEUE_FULL", "the app's queue is full", { details: { queueDepthMax } });
    }
    this.#countQueued(ticket);
  }

  #countQueued({ slot, request }: Ticket): void {
    this.#queued += 1;
    this.#queuedBytes += request.input.body.byteLength;
    slot.queuedBytes += request.input.body.byteLength;
  }

  #dequeued({ slot, request }: Ticket): void {
    this.#queued -= 1;
    this.#queuedBytes -= request.input.body.byteLength;
    slot.queuedBytes -= request.input.body.byteLength;
  }

  /** Lets an app with queued invocations take its turn as soon as it may. */
  #offer(slot: AppSlot): void {
    if (slot.queue.depth === 0 || slot.inFlight >= slot.revision.app.concurrencyMax) return;
    if (slot.revision.component === undefined) {
      void this.#load(slot.revision, slot);
      return;
    }
    this.#waiting.add(slot);
    this.#pump();
  }

  #pump(): void {
    for (const slot of this.#waiting) {
      const { revision } = slot;
      if (revision.component === undefined) {
        this.#waiting.delete(slot);
        void this.#load(revision, slot);
        continue;
      }
      const executor = this.#place(revision);
      if (executor === undefined) return;
      this.#waiting.delete(slot);
      const ticket = slot.queue.shift();
      assert(ticket !== undefined);
      this.#dequeued(ticket);
      if (revision.app.functions.has(ticket.request.functionName)) {
        this.#dispatch(ticket, revision, executor);
      } else {
        const error = new HostError(
          "FUNCTION_NOT_FOUND",
          "the app has no function of this name any more",
        );
        this.#settleUnstarted(ticket, error);
      }
      // To the end of the line (D5). A set visits what is added while it is walked.
      if (slot.queue.depth > 0 && slot.inFlight < revision.app.concurrencyMax)
        this.#waiting.add(slot);
    }
  }

  #place(revision: Revision): ExecutorHandle | undefined {
    const loads = [];
    for (const executor of this.#executors) {
      if (executor === undefined || executor.state !== "ready") continue;
      loads.push({
        executorId: executor.id,
        inFlight: executor.inFlight,
        inFlightMax: this.#tuning.inFlightPerExecutorMax,
        isWarm: revision.preparedOn.has(executor),
      });
    }
    const executorId = warmFirst(loads);
    return executorId === undefined ? undefined : this.#executors[executorId];
  }

  #dispatch(ticket: Ticket, revision: Revision, executor: ExecutorHandle): void {
    assert(revision.component !== undefined);
    if (!revision.preparedOn.has(executor)) {
      revision.preparedOn.add(executor);
      executor.send({
        kind: "prepare",
        revisionKey: revision.key,
        component: revision.component,
        app: revision.app.identity,
        limits: revision.app.executorLimits,
      });
    }
    const sequence = executor.nextSequence();
    ticket.running = { revision, executor, sequence, atMs: performance.now() };
    revision.inFlight += 1;
    ticket.slot.inFlight += 1;
    executor.inFlight += 1;
    const { request } = ticket;
    executor.send({
      kind: "invoke",
      invocation: {
        invocationId: ticket.invocationId,
        revisionKey: revision.key,
        sequence,
        functionName: request.functionName,
        input: request.input,
        deadlineAtMs: ticket.deadlineAtMs,
        idempotencyKey: request.idempotencyKey,
        metadata: request.metadata,
      },
    });
  }

  async #load(revision: Revision, slot: AppSlot): Promise<void> {
    if (revision.isLoading) return;
    revision.isLoading = true;
    const loaded = await settle(revision.app.load());
    revision.isLoading = false;
    if (revision.isSuperseded) return;
    if (loaded.status === "fulfilled") {
      revision.component = loaded.value;
      this.#loaded.add(revision);
      this.#offer(slot);
      return;
    }
    const app = revision.app.identity;
    this.#options.logger.error({ err: loaded.reason, app }, "a revision could not be loaded");
    const failure = HostError.from(loaded.reason);
    for (const ticket of slot.queue.drain()) {
      this.#dequeued(ticket);
      this.#settleUnstarted(ticket, failure);
    }
  }

  #expire(ticket: Ticket, deadlineMs: number): void {
    const error = new HostError(
      "DEADLINE_EXCEEDED",
      `the function did not end within ${deadlineMs} ms`,
      {
        details: { deadlineMs },
      },
    );
    this.#cancel(ticket, error);
  }

  /** Ends an admitted invocation before it ended by itself. */
  #cancel(ticket: Ticket, error: HostError): void {
    if (ticket.answer === undefined) return;
    if (ticket.running !== undefined) {
      this.#abandon(ticket, error);
      return;
    }
    if (!ticket.slot.queue.remove(ticket)) return;
    this.#dequeued(ticket);
    if (ticket.slot.queue.depth === 0) this.#waiting.delete(ticket.slot);
    this.#settleUnstarted(ticket, error);
  }

  /** Answers the caller of a running invocation now, and gives its executor a time to let go of it (D4). */
  #abandon(ticket: Ticket, error: HostError): void {
    const { running, invocationId } = ticket;
    assert(running !== undefined);
    ticket.errorCode = error.code;
    this.#answer(ticket, { kind: "failed", error: error.toWire(), usage: NO_USAGE });
    running.executor.send({ kind: "cancel", invocationId, error: error.toWire() });
    ticket.timer = setTimeout(
      () => this.#replaceStuck(running.executor, ticket),
      this.#tuning.cancelGraceMs,
    );
  }

  #replaceStuck(executor: ExecutorHandle, offender: Ticket): void {
    this.#options.logger.warn(
      {
        executor: executor.id,
        app: offender.running?.revision.app.identity,
        functionName: offender.request.functionName,
        invocationId: offender.invocationId,
        inFlight: executor.inFlight,
      },
      "an executor does not answer and is replaced",
    );
    void executor.terminate();
  }

  #answer(ticket: Ticket, outcome: Outcome): void {
    clearTimeout(ticket.timer);
    ticket.timer = undefined;
    ticket.detach?.();
    ticket.detach = undefined;
    const { answer } = ticket;
    ticket.answer = undefined;
    answer?.(outcome);
  }

  #settleUnstarted(ticket: Ticket, error: HostError): void {
    ticket.errorCode = error.code;
    this.#answer(ticket, { kind: "failed", error: error.toWire(), usage: NO_USAGE });
    this.#finish(ticket, NO_USAGE, 0);
  }

  #onReplies(executor: ExecutorHandle, replies: readonly ExecutorReply[]): void {
    for (const reply of replies) {
      switch (reply.kind) {
        case "ready":
          this.#pump();
          break;
        case "settled":
          this.#settled(reply.invocationId, reply.outcome);
          break;
        case "logged":
          this.#options.onLog(reply.entries);
          break;
        case "drained":
          this.#onDrained.get(executor)?.();
          break;
        default:
          unreachable(reply);
      }
    }
  }

  #settled(invocationId: string, outcome: Outcome): void {
    const ticket = this.#tickets.get(invocationId);
    assert(ticket !== undefined);
    if (outcome.kind === "failed") ticket.errorCode ??= outcome.error.code;
    this.#answer(ticket, outcome);
    this.#release(ticket);
    this.#finish(
      ticket,
      outcome.usage,
      outcome.kind === "completed" ? outcome.output.body.byteLength : 0,
    );
    this.#offer(ticket.slot);
    if (this.#waiting.size > 0) this.#pump();
  }

  #release(ticket: Ticket): void {
    const { running, slot } = ticket;
    assert(running !== undefined);
    running.executor.inFlight -= 1;
    running.revision.inFlight -= 1;
    slot.inFlight -= 1;
    if (slot.inFlight === 0) slot.onIdle?.();
    if (running.revision.isSuperseded && running.revision.inFlight === 0)
      this.#unload(running.revision);
  }

  #finish(ticket: Ticket, usage: InvocationUsage, outputBytes: number): void {
    this.#tickets.delete(ticket.invocationId);
    const endedAtMs = performance.now();
    const queuedMs = (ticket.running?.atMs ?? endedAtMs) - ticket.acceptedAtMs;
    this.#options.onSettled({
      identity: (ticket.running?.revision ?? ticket.slot.revision).app.identity,
      invocationId: ticket.invocationId,
      functionName: ticket.request.functionName,
      inputBytes: ticket.request.input.body.byteLength,
      outputBytes,
      queuedUs: Math.round(queuedMs * 1000),
      usage,
      errorCode: ticket.errorCode,
    });
    if (this.#tickets.size === 0) this.#onIdle?.();
  }

  #startExecutor(
    index: number,
    first?: {
      readonly worker: Worker | undefined;
      readonly ready: () => void;
      readonly dead: (cause: Error) => void;
    },
  ): void {
    this.#executors[index] = new ExecutorHandle({
      id: index,
      storage: this.#options.storage,
      worker: first?.worker,
      tuning: this.#tuning.executor,
      events: {
        onReplies: (executor, replies) => {
          if (replies[0]?.kind === "ready") first?.ready();
          this.#onReplies(executor, replies);
        },
        onDead: (executor, cause) => {
          first?.dead(cause ?? new Error("an executor ended before it was ready"));
          this.#onDead(executor, cause);
        },
      },
    });
  }

  #onDead(executor: ExecutorHandle, cause: Error | undefined): void {
    this.#executors[executor.id] = undefined;
    this.#onDrained.get(executor)?.();
    for (const revision of this.#loaded) revision.preparedOn.delete(executor);
    // The latest first, so that each goes before the one that came after it.
    const affected = [...this.#tickets.values()].toReversed();
    for (const ticket of affected) {
      const { running } = ticket;
      if (running?.executor !== executor) continue;
      if (executor.hasStarted(running.sequence)) this.#lose(ticket, running.atMs);
      else this.#requeue(ticket);
      this.#offer(ticket.slot);
    }
    if (this.#state === "stopped") return;
    if (cause !== undefined) {
      this.#options.logger.error({ err: cause, executor: executor.id }, "an executor died");
    }
    const delayMs = this.#restartDelayMs[executor.id] ?? RESTART_DELAY_MIN_MS;
    this.#restartDelayMs[executor.id] = executor.wasReady
      ? RESTART_DELAY_MIN_MS
      : Math.min(delayMs * 2, RESTART_DELAY_MAX_MS);
    setTimeout(
      () => {
        if (this.#state !== "stopped") this.#startExecutor(executor.id);
      },
      executor.wasReady ? 0 : delayMs,
    ).unref();
  }

  /** Ends an invocation whose thread ended: with its own error where it was abandoned, else retryable. */
  #lose(ticket: Ticket, startedAtMs: number): void {
    const lost = new HostError("EXECUTOR_LOST", "the executor that ran the function was lost");
    const wasAbandoned = ticket.answer === undefined;
    ticket.errorCode ??= lost.code;
    this.#answer(ticket, { kind: "failed", error: lost.toWire(), usage: NO_USAGE });
    this.#release(ticket);
    const wallUs = Math.round((performance.now() - startedAtMs) * 1000);
    // Nobody can say what it used. What had to be ended by force is charged all of it.
    this.#finish(ticket, { ...NO_USAGE, wallUs, cpuUs: wasAbandoned ? wallUs : 0 }, 0);
    this.#options.onLog([
      {
        tenantId: ticket.slot.tenantId,
        app: ticket.slot.app,
        functionName: ticket.request.functionName,
        invocationId: ticket.invocationId,
        atMs: Date.now(),
        level: "error",
        message: wasAbandoned
          ? `${ticket.errorCode}: the function ran on without an end, and its thread was ended`
          : `${lost.code}: ${lost.message}`,
      },
    ]);
  }

  /** Back to where it waited before it was sent to a thread that never started it. */
  #requeue(ticket: Ticket): void {
    this.#release(ticket);
    ticket.running = undefined;
    if (ticket.answer === undefined) {
      this.#finish(ticket, NO_USAGE, 0);
      return;
    }
    ticket.slot.queue.unshift(ticket);
    this.#countQueued(ticket);
  }

  async #stopAll(): Promise<void> {
    const executors = this.#executors.filter((executor) => executor !== undefined);
    await Promise.all(executors.map((executor) => this.#stop(executor)));
  }

  async #stop(executor: ExecutorHandle): Promise<void> {
    await executor.started;
    if (executor.state === "ready") {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onDrained.set(executor, resolve);
      executor.send({ kind: "drain" });
      const timer = setTimeout(resolve, this.#tuning.cancelGraceMs);
      await promise;
      clearTimeout(timer);
    }
    await executor.terminate();
  }

  #supersede(revision: Revision): void {
    revision.isSuperseded = true;
    if (revision.inFlight === 0) this.#unload(revision);
  }

  #unload(revision: Revision): void {
    this.#loaded.delete(revision);
    revision.component = undefined;
    for (const executor of revision.preparedOn) {
      executor.send({ kind: "forget", revisionKey: revision.key });
    }
    revision.preparedOn.clear();
  }

  #unloadIdle(nowMs: number): void {
    for (const revision of this.#loaded) {
      const isIdle =
        revision.inFlight === 0 && nowMs - revision.lastUsedAtMs > this.#tuning.revisionIdleMs;
      if (isIdle) this.#unload(revision);
    }
  }
}

async function settle<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [settled] = await Promise.allSettled([promise]);
  return settled;
}

function toSlotKey(tenantId: string, app: string): string {
  // Neither name can hold a slash.
  return `${tenantId}/${app}`;
}
