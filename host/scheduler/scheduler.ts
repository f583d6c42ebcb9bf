import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Worker } from "node:worker_threads";
import { isDeepStrictEqual } from "node:util";
import type { StorageThread } from "@downpour/kvs";
import type { CompiledComponent } from "../engine/engine.ts";
import { HostError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { NO_USAGE, unreachable } from "../protocol.ts";
import type {
  ExecutorReply,
  ExecutorTuning,
  InvocationUsage,
  LogEntry,
  Outcome,
  TenantInstances,
} from "../protocol.ts";
import type { DeployedApp, InvocationRecord, InvokeRequest, InvokeResult } from "./deployed-app.ts";
import { ExecutorHandle } from "./executor-handle.ts";
import type { ExecutorState } from "./executor-handle.ts";
import { Load } from "./load.ts";
import type { LoadGauges, LoadLimits } from "./load.ts";
import { LoadedAhead } from "./loaded-ahead.ts";
import type { LoadedAheadLimits } from "./loaded-ahead.ts";
import { warmFirst } from "./placement.ts";
import { toRetire } from "./thread-ownership.ts";
import { AppSlot } from "./slots.ts";
import type { Revision, TenantSlot, Ticket } from "./slots.ts";
import { WaitingLine } from "./waiting-line.ts";

/** What a tenant may ask of the executors, with all its apps. */
export interface TenantLoadLimits extends LoadLimits {
  /** Its share of the executors' time where others want it too, beside theirs. */
  readonly weight: number;
}

export interface SchedulerTuning {
  readonly executorCount: number;
  /** Whether tenants share threads, or each thread is one tenant's for its whole life. */
  readonly isolation: "shared" | "thread";
  /** Invocations on one executor at once: most of them wait for state, and hold no thread. */
  readonly inFlightPerExecutorMax: number;
  /** An executor that has not ended a cancelled invocation by then does not answer: it is replaced. */
  readonly cancelGraceMs: number;
  /** An executor that does not come back to its events for so long does not answer either. */
  readonly turnMaxMs: number;
  /** Input of waiting invocations of all tenants; each tenant and app has a limit of its own beside it. */
  readonly queuedBytesMax: number;
  /** Revisions that are loaded before anyone called them, in number and in bytes of their code. */
  readonly loadedAheadMax: LoadedAheadLimits;
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
  /** An app that exists had an invocation that was not admitted. */
  readonly onRefused: (refusal: Refusal) => void;
}

export interface Refusal {
  readonly tenantId: string;
  readonly app: string;
  readonly code: ErrorCode;
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
/** So long an upload's answer waits for its instance, which takes some milliseconds on a thread that is free. */
const PREPARED_MS_MAX = 500;

/** How often executors are looked at. */
const WATCH_INTERVAL_MS = 250;

/** Executors that had to be replaced: a mistake is free, and so is one in each of a few apps of a tenant. */
const OFFENCE_FORGOTTEN_MS = 60_000;
const APP_BACK_OFF = {
  freeOffences: 1,
  firstMs: 1_000,
  longestMs: 300_000,
  forgottenAfterMs: OFFENCE_FORGOTTEN_MS,
};
const TENANT_BACK_OFF = { ...APP_BACK_OFF, freeOffences: 3 };

/** A tenant has the threads alone when no other one called for so long. */
const ALONE_AFTER_MS = 1_000;

/** With the line waiting for a thread that will start something soon: threads say so without a message. */
const POLL_MS = 1;

// The data plane's main-thread half: admits invocations, queues them, gives them to executors, and
// answers each. Decisions are pure functions (`placement.ts`); this file owns the state they judge.
//
// D1. Every admitted invocation is answered exactly once, also when its executor dies.
// D2. An app, and a tenant with all its apps, stays within its `LoadLimits`; past them a call is refused,
//     never dropped.
// D3. An invocation runs the revision that is active when it leaves the queue, and ends on it, whatever
//     is deployed meanwhile.
// D4. An executor that does not answer is terminated and replaced. What else had started on it fails,
//     retryable; what had not started goes back to the front of its queue.
// D5. Who waits takes turns in processor time (`waiting-line.ts`), tenants first. For that little is sent
//     ahead to a thread: what waits there waits in the order in which it came.
// D6. What is used while nobody else waits is nobody's loss, and charged to nobody's turns.
// D7. Who ended an executor, by not giving it back or by breaking it, is known, counted, and kept out for
//     a while, longer each time; the functions beside it are not blamed.
// D8. In the mode `thread`, a thread runs guests of one tenant for its whole life. A tenant that waits and
//     has none gets one that is started anew in the place of another's, when that is empty.
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #tuning: SchedulerTuning;
  readonly #tenants = new Map<string, TenantSlot>();
  readonly #slots = new Map<string, AppSlot>();
  readonly #tickets = new Map<string, Ticket>();
  /** Apps with something queued that may run. */
  readonly #line = new WaitingLine<AppSlot>();
  readonly #loaded = new Set<Revision>();
  readonly #loadedAhead: LoadedAhead<Revision>;
  readonly #executors: (ExecutorHandle | undefined)[] = [];
  readonly #restartDelayMs: number[] = [];
  readonly #sweep: NodeJS.Timeout;
  readonly #watch: NodeJS.Timeout;
  #poll: NodeJS.Timeout | undefined;
  #lastTenant: TenantSlot | undefined;
  #sharedUntilMs = 0;
  #queued = 0;
  #queuedBytes = 0;
  #revisions = 0;
  #state: "running" | "draining" | "stopped" = "running";
  #onIdle: (() => void) | undefined;
  readonly #onDrained = new Map<ExecutorHandle, () => void>();
  /** By the key of the revision. */
  readonly #onPrepared = new Map<string, () => void>();

  private constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#tuning = options.tuning;
    this.#loadedAhead = new LoadedAhead(options.tuning.loadedAheadMax);
    this.#sweep = setInterval(() => this.#unloadIdle(Date.now()), SWEEP_INTERVAL_MS);
    this.#sweep.unref();
    this.#watch = setInterval(() => this.#replaceSilent(performance.now()), WATCH_INTERVAL_MS);
    this.#watch.unref();
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
      clearInterval(scheduler.#watch);
      await scheduler.#stopAll();
      throw error;
    }
    return scheduler;
  }

  /** What the tenant may use from now on. A tenant is made known before its apps. */
  setTenant(tenantId: string, limits: TenantLoadLimits): void {
    const nowMs = performance.now();
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) {
      const load = new Load("tenant", limits, TENANT_BACK_OFF, nowMs);
      const place = this.#line.joinTenant(limits.weight);
      this.#tenants.set(tenantId, { tenantId, load, place });
      return;
    }
    tenant.load.setLimits(limits, nowMs);
    tenant.place.share.weight = limits.weight;
    for (const slot of this.#slots.values()) if (slot.tenant === tenant) this.#offer(slot);
  }

  /** Forgets a tenant whose apps are removed. */
  removeTenant(tenantId: string): void {
    this.#tenants.delete(tenantId);
  }

  /** From now on invocations of this app run this revision; those in flight end on theirs. */
  deploy(app: DeployedApp): void {
    const { tenantId, app: name, revisionId } = app.identity;
    const nowMs = performance.now();
    const slotKey = toSlotKey(tenantId, name);
    const slot = this.#slots.get(slotKey);
    if (slot !== undefined && isSameForExecutors(slot.revision.app, app)) {
      slot.revision.app = app;
      slot.load.setLimits(app.limits, nowMs);
      this.#offer(slot);
      return;
    }
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
    if (slot === undefined) {
      this.#slots.set(slotKey, this.#createSlot(revision, nowMs));
      return;
    }
    const previous = slot.revision;
    slot.revision = revision;
    slot.load.setLimits(app.limits, nowMs);
    this.#supersede(previous);
    this.#offer(slot);
  }

  /**
   * Loads the active revision of an app, and gives it to the executor that will probably run it, so that its
   * first call finds it there. Settles when it is; what fails here fails that call, and is in the log.
   */
  async prepare(tenantId: string, app: string): Promise<void> {
    const slot = this.#slots.get(toSlotKey(tenantId, app));
    if (slot === undefined || slot.revision.component !== undefined) return;
    const { revision } = slot;
    await this.#load(revision, slot);
    // It may have been called, or deleted, meanwhile.
    if (revision.component === undefined || revision.preparedOn.size > 0) return;
    const { codeBytes } = revision.app;
    for (const dropped of this.#loadedAhead.add(tenantId, revision, codeBytes)) {
      this.#unload(dropped);
    }
    const executor = this.#place(slot);
    if (executor !== undefined && revision.component !== undefined) {
      this.#prepareOn(executor, revision, revision.component, true);
      await this.#untilPrepared(revision);
    }
  }

  /** Not for long: a thread may be held, or end. */
  async #untilPrepared({ key }: Revision): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onPrepared.set(key, resolve);
    const timer = setTimeout(resolve, PREPARED_MS_MAX);
    await promise;
    clearTimeout(timer);
    this.#onPrepared.delete(key);
  }

  /** Ends what runs of the app and forgets it. Settles when nothing of it runs any more. */
  async remove(tenantId: string, app: string): Promise<void> {
    const slotKey = toSlotKey(tenantId, app);
    const slot = this.#slots.get(slotKey);
    if (slot === undefined) return;
    this.#slots.delete(slotKey);
    this.#supersede(slot.revision);
    const gone = new HostError("APP_NOT_FOUND", "the app was deleted");
    this.#failQueued(slot, gone);
    for (const ticket of this.#tickets.values()) {
      if (ticket.slot === slot && ticket.running !== undefined) this.#abandon(ticket, gone);
    }
    if (slot.load.inFlight === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    slot.onIdle = resolve;
    await promise;
  }

  /**
   * Runs one invocation. Rejects with `HostError` only for what was never admitted (`APP_NOT_FOUND`,
   * `FUNCTION_NOT_FOUND`, `RATE_LIMITED`, `BACKED_OFF`, `QUEUE_FULL`, `HOST_DRAINING`); what happens after
   * that is an outcome.
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
    try {
      this.#admit(ticket);
    } catch (error) {
      const { code } = HostError.from(error);
      this.#options.onRefused({ tenantId: request.tenantId, app: request.app, code });
      throw error;
    }
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

  /** What each tenant has under way; those that have nothing are not in it. */
  loads(): readonly ({ readonly tenantId: string } & LoadGauges)[] {
    return Array.from(this.#tenants.values(), ({ tenantId, load }) => ({
      tenantId,
      ...toGauges(load),
    })).filter(({ inFlight, queued }) => inFlight + queued > 0);
  }

  /** What an app has under way, or a tenant with all its apps. */
  loadOf(tenantId: string, app?: string): LoadGauges {
    const owner =
      app === undefined ? this.#tenants.get(tenantId) : this.#slots.get(toSlotKey(tenantId, app));
    return owner === undefined ? NO_LOAD : toGauges(owner.load);
  }

  /** The instances of each tenant on all executors, as of some seconds ago. */
  instances(): ReadonlyMap<string, TenantInstances> {
    const sums = new Map<string, TenantInstances>();
    for (const { tenantId, instances, memoryBytes } of this.#executors.flatMap(
      (executor) => executor?.holds ?? [],
    )) {
      const sum = sums.get(tenantId) ?? { tenantId, instances: 0, memoryBytes: 0 };
      sums.set(tenantId, {
        tenantId,
        instances: sum.instances + instances,
        memoryBytes: sum.memoryBytes + memoryBytes,
      });
    }
    return sums;
  }

  /** Refuses new invocations, lets the admitted ones end for at most `timeoutMs`, then stops the threads. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#state !== "running") return;
    this.#state = "draining";
    clearInterval(this.#sweep);
    clearInterval(this.#watch);
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

  #createSlot(revision: Revision, nowMs: number): AppSlot {
    const { identity, limits } = revision.app;
    const tenant = this.#tenants.get(identity.tenantId);
    assert(tenant !== undefined);
    const load = new Load("app", limits, APP_BACK_OFF, nowMs);
    return new AppSlot({ tenant, revision, load, line: this.#line });
  }

  /** Runs the ticket now if that is possible, else queues it; throws where a limit refuses it (D2). */
  #admit(ticket: Ticket): void {
    const { slot } = ticket;
    const { revision, load, tenant } = slot;
    const nowMs = performance.now();
    load.checkRate(nowMs);
    tenant.load.checkRate(nowMs);
    revision.lastUsedAtMs = Date.now();
    if (tenant !== this.#lastTenant) {
      this.#lastTenant = tenant;
      this.#sharedUntilMs = nowMs + ALONE_AFTER_MS;
    }
    // Nobody who may run waits: so this overtakes nobody.
    const mayRun =
      this.#line.isEmpty && slot.queue.depth === 0 && load.mayRun && tenant.load.mayRun;
    const executor = mayRun ? this.#place(slot) : undefined;
    if (executor === undefined) this.#enqueue(ticket);
    load.takeRate();
    tenant.load.takeRate();
    this.#tickets.set(ticket.invocationId, ticket);
    // Lent: what nobody else wants is not charged ahead (D6).
    if (executor === undefined) this.#offer(slot);
    else this.#dispatch(ticket, executor, 0);
  }

  /** Throws where a queue is full, in calls or in bytes (D2). */
  #enqueue(ticket: Ticket): void {
    const { slot, request } = ticket;
    const bytes = request.input.body.byteLength;
    slot.load.checkQueue(bytes);
    slot.tenant.load.checkQueue(bytes);
    const { queuedBytesMax } = this.#tuning;
    if (this.#queuedBytes + bytes > queuedBytesMax) {
      throw new HostError("QUEUE_FULL", "the invocations that wait hold too many bytes", {
        details: { limitOf: "host", queuedBytesMax, retryAfterMs: 1_000 },
      });
    }
    assert(slot.queue.push(ticket, slot.load.limits.queueDepthMax));
    this.#countQueued(ticket, 1);
  }

  /** One more that waits, or, negative, one less. */
  #countQueued({ slot, request }: Ticket, sign: 1 | -1): void {
    const bytes = sign * request.input.body.byteLength;
    this.#queued += sign;
    this.#queuedBytes += bytes;
    for (const load of [slot.load, slot.tenant.load]) {
      load.queued += sign;
      load.queuedBytes += bytes;
    }
  }

  /** Lets an app with queued invocations take its turn as soon as it may. */
  #offer(slot: AppSlot): void {
    this.#offerInLine(slot);
    if (!this.#line.isEmpty) this.#pump();
  }

  #offerInLine(slot: AppSlot): void {
    this.#line.offer(slot.place, this.#hasWork(slot), slot.tenant.load.mayRun);
  }

  /** Whether the app has an invocation that may run now; one whose code is not there is loaded for it. */
  #hasWork(slot: AppSlot): boolean {
    if (slot.queue.depth === 0 || !slot.load.mayRun) return false;
    if (slot.revision.component !== undefined) return true;
    void this.#load(slot.revision, slot);
    return false;
  }

  #pump(): void {
    const passedOver: AppSlot[] = [];
    for (let slot = this.#line.next(); slot !== undefined; slot = this.#line.next()) {
      const executor = this.#place(slot);
      if (executor === undefined) {
        if (slot.revision.component === undefined) {
          this.#offerInLine(slot);
          continue;
        }
        if (this.#tuning.isolation === "shared") {
          this.#pumpSoon();
          return;
        }
        // Its threads are full or still others': whoever is next may have one.
        this.#line.offer(slot.place, false, slot.tenant.load.mayRun);
        passedOver.push(slot);
        continue;
      }
      const ticket = slot.queue.shift();
      assert(ticket !== undefined);
      this.#countQueued(ticket, -1);
      if (slot.revision.app.functions.has(ticket.request.functionName)) {
        this.#dispatch(ticket, executor, slot.estimateUs);
        this.#line.served(slot.place, slot.estimateUs);
      } else {
        const error = new HostError(
          "FUNCTION_NOT_FOUND",
          "the app has no function of this name any more",
        );
        this.#settleUnstarted(ticket, error);
      }
      this.#offerInLine(slot);
    }
    if (passedOver.length === 0) return;
    for (const slot of passedOver) this.#offerInLine(slot);
    this.#retireFor(new Set(passedOver.map(({ tenant }) => tenant.tenantId)));
    this.#pumpSoon();
  }

  /** Has threads of others replaced for tenants that wait and have none (D8). */
  #retireFor(waiting: ReadonlySet<string>): void {
    const threads = Array.from(this.#executors, (executor, executorId) => ({
      executorId,
      tenantId: executor?.tenantId,
      ownedSinceMs: executor?.ownedSinceMs ?? 0,
      isRetiring: executor?.isRetiring ?? false,
    }));
    for (const executorId of toRetire(threads, waiting, performance.now())) {
      const executor = this.#executors[executorId];
      assert(executor !== undefined);
      executor.isRetiring = true;
      if (executor.inFlight === 0) void executor.terminate();
    }
  }

  #pumpSoon(): void {
    if (this.#state === "stopped" || this.#poll !== undefined) return;
    this.#poll = setTimeout(() => {
      this.#poll = undefined;
      this.#pump();
    }, POLL_MS);
  }

  /** An executor that takes the app's next invocation now. */
  #place({ revision, estimateUs, tenant }: AppSlot): ExecutorHandle | undefined {
    if (revision.component === undefined) return undefined;
    const use = performance.now() < this.#sharedUntilMs ? "shared" : "alone";
    const loads = [];
    for (const executor of this.#executors) {
      if (executor === undefined || executor.state !== "ready") continue;
      if (this.#tuning.isolation === "thread" && !executor.mayBeOf(tenant.tenantId)) continue;
      loads.push({
        executorId: executor.id,
        inFlight: executor.inFlight,
        hasRoom:
          executor.inFlight < this.#tuning.inFlightPerExecutorMax &&
          executor.hasRoomFor(estimateUs, use),
        isWarm: revision.preparedOn.has(executor),
      });
    }
    const executorId = warmFirst(loads);
    return executorId === undefined ? undefined : this.#executors[executorId];
  }

  #dispatch(ticket: Ticket, executor: ExecutorHandle, chargedUs: number): void {
    const { request, slot } = ticket;
    const { revision } = slot;
    assert(revision.component !== undefined);
    this.#loadedAhead.delete(revision);
    if (!revision.preparedOn.has(executor)) {
      this.#prepareOn(executor, revision, revision.component, false);
    }
    executor.own(slot.tenant.tenantId, performance.now());
    const sequence = executor.nextSequence(slot.estimateUs);
    ticket.running = { revision, executor, sequence, atMs: performance.now(), chargedUs };
    revision.inFlight += 1;
    slot.load.inFlight += 1;
    slot.tenant.load.inFlight += 1;
    executor.inFlight += 1;
    executor.send({
      kind: "invoke",
      invocation: {
        invocationId: ticket.invocationId,
        revisionKey: revision.key,
        sequence,
        weight: slot.tenant.place.share.weight,
        functionName: request.functionName,
        input: request.input,
        deadlineAtMs: ticket.deadlineAtMs,
        idempotencyKey: request.idempotencyKey,
        metadata: request.metadata,
      },
    });
  }

  #prepareOn(
    executor: ExecutorHandle,
    revision: Revision,
    component: CompiledComponent,
    isAhead: boolean,
  ): void {
    revision.preparedOn.add(executor);
    executor.send({
      kind: "prepare",
      revisionKey: revision.key,
      component,
      app: revision.app.identity,
      limits: revision.app.executorLimits,
      isAhead,
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
    this.#failQueued(slot, HostError.from(loaded.reason));
  }

  #failQueued(slot: AppSlot, error: HostError): void {
    for (const ticket of slot.queue.drain()) {
      this.#countQueued(ticket, -1);
      this.#settleUnstarted(ticket, error);
    }
    this.#offer(slot);
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
    this.#countQueued(ticket, -1);
    this.#settleUnstarted(ticket, error);
    this.#offer(ticket.slot);
  }

  /** Answers the caller of a running invocation now, and gives its executor a time to let go of it (D4). */
  #abandon(ticket: Ticket, error: HostError): void {
    const { running, invocationId } = ticket;
    assert(running !== undefined);
    ticket.errorCode = error.code;
    this.#answer(ticket, { kind: "failed", error: error.toWire(), usage: NO_USAGE });
    running.executor.send({ kind: "cancel", invocationId, error: error.toWire() });
    ticket.timer = setTimeout(
      () => this.#replaceStuck(running.executor),
      this.#tuning.cancelGraceMs,
    );
  }

  /** The second line, for what nobody cancelled yet: a thread that does not come back to its events. */
  #replaceSilent(nowMs: number): void {
    for (const executor of this.#executors) {
      if (executor === undefined || executor.inFlight === 0) continue;
      if (executor.turnAgeMs(nowMs) > this.#tuning.turnMaxMs) this.#replaceStuck(executor);
    }
  }

  #replaceStuck(executor: ExecutorHandle): void {
    if (executor.state !== "ready") return;
    const offender = this.#holderOf(executor);
    this.#options.logger.warn(
      {
        executor: executor.id,
        app: offender?.running?.revision.app.identity,
        functionName: offender?.request.functionName,
        invocationId: offender?.invocationId,
        inFlight: executor.inFlight,
      },
      "an executor does not answer and is replaced",
    );
    void executor.terminate();
  }

  /** Whose guest holds the thread, or held it when it ended. */
  #holderOf(executor: ExecutorHandle): Ticket | undefined {
    const { holder } = executor;
    for (const ticket of this.#tickets.values()) {
      const { running } = ticket;
      if (running?.executor === executor && running.sequence === holder) return ticket;
    }
    return undefined;
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
        case "holds":
          executor.holds = reply.tenants;
          break;
        case "prepared":
          this.#onPrepared.get(reply.revisionKey)?.();
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
    const { cpuUs } = outcome.usage;
    const { slot } = ticket;
    slot.learn(cpuUs);
    this.#charge(ticket, cpuUs);
    this.#release(ticket);
    this.#finish(
      ticket,
      outcome.usage,
      outcome.kind === "completed" ? outcome.output.body.byteLength : 0,
    );
    this.#offer(slot);
  }

  /** What it used beyond what was charged ahead; lent time only if somebody waits by now (D6). */
  #charge({ slot, running }: Ticket, cpuUs: number): void {
    const aheadUs = running?.chargedUs ?? 0;
    if (aheadUs > 0 || !this.#line.isEmpty) this.#line.charge(slot.place, cpuUs - aheadUs);
  }

  #release(ticket: Ticket): void {
    const { running, slot } = ticket;
    assert(running !== undefined);
    running.executor.inFlight -= 1;
    running.executor.forget(running.sequence);
    if (running.executor.isRetiring && running.executor.inFlight === 0) {
      void running.executor.terminate();
    }
    running.revision.inFlight -= 1;
    slot.load.inFlight -= 1;
    slot.tenant.load.inFlight -= 1;
    if (slot.load.inFlight === 0) slot.onIdle?.();
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
    const offender = this.#state === "stopped" ? undefined : this.#holderOf(executor);
    if (offender !== undefined) this.#blame(offender);
    // The latest first, so that each goes before the one that came after it.
    const affected = [...this.#tickets.values()].toReversed();
    for (const ticket of affected) {
      const { running } = ticket;
      if (running?.executor !== executor) continue;
      if (executor.hasStarted(running.sequence)) this.#lose(ticket, running.atMs, offender);
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

  #blame({ slot }: Ticket): void {
    const nowMs = performance.now();
    slot.load.offend(nowMs);
    slot.tenant.load.offend(nowMs);
  }

  /** Ends an invocation whose thread ended: with its own error where it was abandoned or is to blame, else retryable. */
  #lose(ticket: Ticket, startedAtMs: number, offender: Ticket | undefined): void {
    const isOffender = ticket === offender;
    const lost = isOffender
      ? new HostError(
          "EXECUTOR_BLOCKED",
          "the function held its thread without a pause, and was ended",
        )
      : new HostError("EXECUTOR_LOST", "the executor that ran the function was lost");
    ticket.errorCode ??= lost.code;
    this.#answer(ticket, { kind: "failed", error: lost.toWire(), usage: NO_USAGE });
    const wallUs = Math.round((performance.now() - startedAtMs) * 1000);
    // Nobody can say what it used. Who had to be ended by force is charged all of it.
    const cpuUs = isOffender ? wallUs : 0;
    this.#charge(ticket, cpuUs);
    this.#release(ticket);
    this.#finish(ticket, { ...NO_USAGE, wallUs, cpuUs }, 0);
    this.#options.onLog([
      {
        tenantId: ticket.slot.tenant.tenantId,
        app: ticket.slot.app,
        functionName: ticket.request.functionName,
        invocationId: ticket.invocationId,
        atMs: Date.now(),
        level: "error",
        message: isOffender
          ? `${ticket.errorCode}: the function ran on without an end, and its thread was ended`
          : `${ticket.errorCode}: ${lost.message}`,
      },
    ]);
  }

  /** Back to where it waited before it was sent to a thread that never started it. */
  #requeue(ticket: Ticket): void {
    this.#charge(ticket, 0);
    this.#release(ticket);
    ticket.running = undefined;
    if (ticket.answer === undefined) {
      this.#finish(ticket, NO_USAGE, 0);
      return;
    }
    ticket.slot.queue.unshift(ticket);
    this.#countQueued(ticket, 1);
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
    this.#loadedAhead.delete(revision);
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

const NO_LOAD: LoadGauges = { inFlight: 0, queued: 0, queuedBytes: 0 };

function toGauges({ inFlight, queued, queuedBytes }: LoadGauges): LoadGauges {
  return { inFlight, queued, queuedBytes };
}

/** Whether an app's instances may go on with the other configuration. */
function isSameForExecutors(a: DeployedApp, b: DeployedApp): boolean {
  return a.codeKey === b.codeKey && isDeepStrictEqual(a.executorLimits, b.executorLimits);
}

function toSlotKey(tenantId: string, app: string): string {
  // Neither name can hold a slash.
  return `${tenantId}/${app}`;
}
