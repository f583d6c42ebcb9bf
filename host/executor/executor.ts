import assert from "node:assert/strict";
import type { StateClient } from "@downpour/kvs";
import { collectGarbage } from "../engine/collect-garbage.ts";
import type { CompiledComponent, Engine, Links } from "../engine/engine.ts";
import { HostError } from "../errors.ts";
import type { ErrorWire } from "../errors.ts";
import { EXECUTOR_CELLS, NO_USAGE, STARTED_KEPT, unreachable } from "../protocol.ts";
import type {
  AppIdentity,
  AppLimits,
  ExecutorReply,
  ExecutorRequest,
  ExecutorTuning,
  Invocation,
  LogEntry,
  Outcome,
  TenantInstances,
} from "../protocol.ts";
import { callHandle } from "./call-handle.ts";
import { contextCapability } from "./capabilities/context.ts";
import { logCapability } from "./capabilities/log.ts";
import { stateCapability } from "./capabilities/state.ts";
import { wasiCapabilities } from "./capabilities/wasi.ts";
import { HeldOutcomes } from "./held-outcomes.ts";
import { StartQueue } from "./start-queue.ts";
import { MemoryBudget } from "./memory-budget.ts";
import type { MemoryUse } from "./memory-budget.ts";
import { InstancePool } from "./instance-pool.ts";
import type { PooledInstance } from "./instance-pool.ts";
import { InstanceScope } from "./instance-scope.ts";
import { toOutcomeError } from "./outcome.ts";
import { ThreadClock } from "./thread-clock.ts";
import { Turns } from "./turns.ts";
import { WriteGate } from "./write-gate.ts";

/**
 * How many invocations start before the thread looks at its events again. Between two groups the
 * storage thread's acknowledgements come in, suspended guests end, and their (warm) instances serve
 * the next ones: without it a burst of n would need n instances.
 */
const STARTS_PER_TURN = 8;

/** In place of the number of an invocation: those count from 1. */
const AHEAD = 0;
/** How often an instance that is made ahead gets fuel for its start: about a slice of compiled code. */
const AHEAD_GRANTS_MAX = 10;

interface Revision {
  readonly app: AppIdentity;
  readonly limits: AppLimits;
  readonly component: CompiledComponent;
  /** Longer than is spent on an instance ahead of its first invocation; or it does not start at all. */
  startsForLong: boolean;
}

interface Running {
  readonly invocation: Invocation;
  readonly pooled: PooledInstance;
  readonly startedAtMs: number;
  readonly coldStart: boolean;
  /** What the instance had used before; a new one is charged with its start. */
  readonly fuelBefore: number;
  isCancelled: boolean;
}

// Runs the invocations of one executor thread. It does not decide who runs where (the scheduler), and
// does not know how a guest runs (the engine).
//
// X1. Every invocation received is settled exactly once; one that ran, when all it stands on is durable.
// X2. An instance is given back only after a call that returned: after a trap, a deadline or a
//     cancellation it is dead, and dropped.
// X3. Invocations start in the order of `StartQueue`, as far as there is room for their instances; which ones
//     have started, and whose guest holds the thread, can be read from outside, also when it is gone.
// X4. A log entry leaves at once: what a function said before it fell into an endless loop is what its
//     author needs.
// X5. Where an instance for the next invocation is made ahead (of what was just deployed, or serves each
//     invocation with an instance of its own), it takes nothing from anyone: no turn, no memory and no idle instance.
//     What it has computed is charged to its first invocation.
export class Executor {
  readonly #engine: Engine;
  readonly #state: StateClient;
  readonly #tuning: ExecutorTuning;
  readonly #cells: Int32Array;
  readonly #reply: (reply: ExecutorReply) => void;
  readonly #flush: () => void;
  readonly #pool: InstancePool;
  readonly #memory: MemoryBudget;
  readonly #clock: ThreadClock;
  readonly #turns: Turns;
  readonly #gate = new WriteGate(() => this.#scheduleTurn());
  readonly #revisions = new Map<string, Revision>();
  readonly #running = new Map<string, Running>();
  readonly #held = new HeldOutcomes((invocationId, outcome) => this.#answer(invocationId, outcome));
  /** What an instance has that is being made. */
  #made: MemoryUse | undefined;
  readonly #queue = new StartQueue();
  #turnScheduled = false;
  #draining = false;

  constructor(options: {
    readonly engine: Engine;
    readonly state: StateClient;
    readonly tuning: ExecutorTuning;
    /** `EXECUTOR_CELLS`. */
    readonly cells: Int32Array;
    readonly reply: (reply: ExecutorReply) => void;
    /** Sends what was replied so far now, and not at the end of the turn. */
    readonly flush: () => void;
  }) {
    this.#engine = options.engine;
    this.#state = options.state;
    this.#tuning = options.tuning;
    this.#cells = options.cells;
    this.#reply = options.reply;
    this.#flush = options.flush;
    const { cells } = options;
    this.#clock = new ThreadClock((sequence) => {
      Atomics.store(cells, EXECUTOR_CELLS.holder, sequence);
    });
    this.#turns = new Turns(options.tuning.sliceMs);
    this.#pool = new InstancePool({ instancesMax: options.tuning.instancesMax });
    this.#memory = new MemoryBudget(options.tuning.memory, {
      inUse: () => this.#memoryInUse(),
      evict: (tenantId) => {
        const evicted = this.#pool.evict(tenantId);
        return evicted === undefined ? undefined : toMemoryUse(evicted);
      },
      collect: collectGarbage,
    });
  }

  receive(request: ExecutorRequest): void {
    this.#turns.giveWay();
    switch (request.kind) {
      case "prepare":
        this.#revisions.set(request.revisionKey, { ...request, startsForLong: false });
        this.#prepare(request.component);
        if (request.isAhead) setImmediate(() => this.#prepareAhead(request.revisionKey));
        break;
      case "forget":
        this.#revisions.delete(request.revisionKey);
        this.#pool.forget(request.revisionKey);
        break;
      case "invoke":
        this.#queue.push(
          this.#revision(request.invocation.revisionKey).app.tenantId,
          request.invocation,
        );
        this.#scheduleTurn();
        break;
      case "cancel":
        this.#cancel(request.invocationId, request.error);
        break;
      case "drain":
        this.#draining = true;
        this.#reportDrained();
        break;
      default:
        unreachable(request);
    }
  }

  /** Lets go of instances that nobody has needed for a while, and says what there are. */
  sweep(nowMs: number): void {
    this.#pool.sweep(nowMs, this.#tuning.instanceIdleMs);
    this.#reply({ kind: "holds", tenants: byTenant(this.#memoryInUse()) });
    this.#gate.sweep();
    if (this.#running.size + this.#queue.size === 0) this.#memory.collectIdle();
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled || this.#queue.size === 0) return;
    this.#turnScheduled = true;
    setImmediate(() => {
      this.#turnScheduled = false;
      this.#startSome();
    });
  }

  #startSome(): void {
    const endMs = performance.now() + this.#tuning.sliceMs;
    let started = 0;
    const withoutRoom = new Set<string>();
    for (;;) {
      // Guests that compute share the turn: whoever waits for an event waits no longer for many of them.
      if (started >= STARTS_PER_TURN || (started > 0 && performance.now() >= endMs)) break;
      const next = this.#queue.next(
        (tenantId) => !withoutRoom.has(tenantId) && this.#gate.mayStart(tenantId),
      );
      if (next === undefined) break;
      const [tenantId, invocation] = next;
      if (!this.#start(invocation)) {
        withoutRoom.add(tenantId);
        continue;
      }
      this.#gate.started(tenantId);
      this.#queue.take(tenantId);
      started += 1;
    }
    this.#reportDrained();
    // With no room for the next one, the end of a running one schedules the next turn.
    if (started > 0) {
      this.#turns.giveWay();
      this.#scheduleTurn();
    }
  }

  /** False where there is no room for another instance now. */
  #start(invocation: Invocation): boolean {
    const startedAtMs = performance.now();
    if (Date.now() >= invocation.deadlineAtMs) {
      this.#settleUnstarted(
        invocation,
        new HostError(
          "DEADLINE_EXCEEDED",
          "the deadline passed before the function started",
        ).toWire(),
      );
      return true;
    }
    let pooled = this.#pool.take(invocation.revisionKey);
    if (pooled === undefined && !this.#reserve(invocation.revisionKey)) return false;
    // From here on code of the guest may run: its start functions.
    this.#announceStart(invocation.sequence);
    if (pooled === undefined) {
      try {
        pooled = this.#instantiate(invocation.revisionKey, invocation.sequence);
      } catch (error) {
        this.#pool.release(this.#revision(invocation.revisionKey).app.tenantId);
        this.#settleUnstarted(invocation, toOutcomeError(error));
        return true;
      }
    } else {
      pooled.scope.start(invocation.sequence, pooled.wasCalled ? 0 : pooled.scope.cpuMs);
    }
    const coldStart = !pooled.wasCalled;
    const running: Running = {
      invocation,
      pooled,
      startedAtMs,
      coldStart,
      fuelBefore: coldStart ? 0 : pooled.instance.fuelUsed,
      isCancelled: false,
    };
    this.#running.set(invocation.invocationId, running);
    pooled.wasCalled = true;
    pooled.scope.begin(invocation);
    callHandle(pooled.instance, invocation.functionName, invocation.input, pooled.scope.limits)
      .then(
        (output) => this.#settle(running, undefined, output),
        (error: unknown) => this.#settle(running, toOutcomeError(error), undefined),
      )
      // A bug of ours: the thread dies with it, and is replaced.
      .catch(rethrow);
    return true;
  }

  #revision(revisionKey: string): Revision {
    const revision = this.#revisions.get(revisionKey);
    assert(revision !== undefined);
    return revision;
  }

  #reserve(revisionKey: string): boolean {
    const { app, limits } = this.#revision(revisionKey);
    return this.#pool.reserve(app.tenantId, limits.tenantInstancesMax);
  }

  /** For the main thread, whatever becomes of this one (X3). */
  #announceStart(sequence: number): void {
    const starts = Atomics.load(this.#cells, EXECUTOR_CELLS.started);
    const cell = EXECUTOR_CELLS.startedLately + (starts & (STARTED_KEPT - 1));
    Atomics.store(this.#cells, cell, sequence);
    Atomics.store(this.#cells, EXECUTOR_CELLS.started, (starts + 1) | 0);
  }

  /** Of a revision that was given to this thread before anyone called it, the first call only makes the instance. */
  #prepare(component: CompiledComponent): void {
    try {
      this.#engine.prepare(component);
    } catch {
      // The first call fails in the same way, and somebody waits for its answer.
    }
  }

  #prepareAhead(revisionKey: string): void {
    this.#makeAhead(revisionKey);
    this.#reply({ kind: "prepared", revisionKey });
  }

  /**
   * An instance that the next invocation of a revision finds made (X5). Where that fails, or there is no
   * room, the invocation makes one, and whoever waits for it is told what is wrong.
   */
  #makeAhead(revisionKey: string): void {
    const revision = this.#revisions.get(revisionKey);
    if (revision === undefined || revision.startsForLong || this.#draining) return;
    if (this.#queue.size > 0 || this.#pool.hasIdle(revisionKey)) return;
    const { tenantId } = revision.app;
    const ofTenant = revision.limits.tenantInstancesMax;
    if (!this.#pool.reserveFree(tenantId, ofTenant)) return;
    try {
      const pooled = this.#instantiate(revisionKey, AHEAD);
      pooled.scope.end();
      this.#pool.give(pooled, { idle: 1, ofTenant }, Date.now());
    } catch (error) {
      this.#pool.release(tenantId);
      // It would be tried after each invocation, and nobody pays for that.
      revision.startsForLong = !(error instanceof RangeError);
    }
  }

  /** `sequence`: of the invocation that it is made for, or `AHEAD`. */
  #instantiate(revisionKey: string, sequence: number): PooledInstance {
    const revision = this.#revision(revisionKey);
    const scope = new InstanceScope({
      app: revision.app,
      limits: revision.limits,
      emit: (entry) => this.#log(entry),
      clock: this.#clock,
      turns: this.#turns,
      sliceMs: this.#tuning.sliceMs,
    });
    const links: Links = {
      "downpour:faas/state": stateCapability(scope, this.#state, this.#gate),
      "downpour:faas/log": logCapability(scope),
      "downpour:faas/context": contextCapability(scope),
      ...wasiCapabilities(scope),
    };
    const { tenantId } = revision.app;
    const use = { tenantId, bytes: 0 };
    let isAhead = sequence === AHEAD;
    let grants = 0;
    this.#made = use;
    scope.start(sequence);
    try {
      const instance = this.#engine.instantiate(revision.component, links, {
        memoryBytesMax: revision.limits.memoryBytesMax,
        takeMemory: (bytes) => {
          const isTaken = isAhead
            ? this.#memory.takeFree(tenantId, bytes)
            : this.#memory.take(tenantId, bytes);
          if (isTaken) use.bytes += bytes;
          return isTaken;
        },
        onFuelSpent: (canWait) => {
          if (!isAhead) return scope.fuelSpent(canWait);
          grants += 1;
          if (grants > AHEAD_GRANTS_MAX) throw new Error("it starts for too long");
          return undefined;
        },
        onYield: () => scope.yielded(),
        onSuspend: () => scope.suspended(),
        onResume: () => scope.resumed(),
      });
      isAhead = false;
      return { revisionKey, instance, scope, idleSinceMs: 0, wasCalled: false };
    } catch (error) {
      scope.end();
      throw error;
    } finally {
      this.#made = undefined;
    }
  }

  *#memoryInUse(): Generator<MemoryUse> {
    if (this.#made !== undefined) yield this.#made;
    for (const { pooled } of this.#running.values()) yield toMemoryUse(pooled);
    for (const pooled of this.#pool.idle()) yield toMemoryUse(pooled);
  }

  #settle(
    running: Running,
    error: ErrorWire | undefined,
    output: Extract<Outcome, { kind: "completed" }>["output"] | undefined,
  ): void {
    const { invocation, pooled, startedAtMs, coldStart } = running;
    const { instance, scope } = pooled;
    const { gate } = scope;
    const { memoryBytes } = instance;
    this.#running.delete(invocation.invocationId);
    scope.finishLog(error === undefined ? undefined : toLogMessage(error));
    scope.end();
    const nowMs = performance.now();
    const usage = {
      cpuUs: Math.round(scope.cpuMs * 1000),
      fuel: instance.fuelUsed - running.fuelBefore,
      wallUs: Math.round((nowMs - startedAtMs) * 1000),
      coldStart,
      memoryBytes,
      ...scope.used,
    };
    const isKept =
      !instance.isDead &&
      memoryBytes <= this.#tuning.idleInstanceBytesMax &&
      this.#revisions.has(pooled.revisionKey);
    const { idleInstancesMax: idle, tenantInstancesMax: ofTenant } = scope.limits;
    if (isKept) this.#pool.give(pooled, { idle, ofTenant }, Date.now());
    else this.#letGo(pooled);
    const outcome: Outcome =
      output === undefined
        ? {
            kind: "failed",
            error: error ?? new HostError("INTERNAL", "internal error").toWire(),
            usage,
          }
        : { kind: "completed", output, usage };
    this.#scheduleTurn();
    // Nobody waits for what a cancelled one stands on.
    const opened = running.isCancelled ? undefined : gate.open();
    if (opened === undefined) this.#answer(invocation.invocationId, outcome);
    else this.#held.hold(invocation.invocationId, outcome, opened).catch(rethrow);
    // When the answer has left: both take as long as a call, or longer.
    if (scope.limits.idleInstancesMax === 0) {
      setImmediate(() => this.#makeAhead(pooled.revisionKey));
    } else if (this.#pool.hasTooManyLinked) {
      setImmediate(() => this.#pool.freezeOne(Date.now()));
    }
  }

  #letGo({ scope, instance }: PooledInstance): void {
    this.#pool.release(scope.app.tenantId);
    this.#memory.release(instance.memoryBytes);
    setImmediate(() => this.#memory.collectReleased());
  }

  #settleUnstarted(invocation: Invocation, error: ErrorWire): void {
    this.#answer(invocation.invocationId, { kind: "failed", error, usage: NO_USAGE });
  }

  #answer(invocationId: string, outcome: Outcome): void {
    this.#reply({ kind: "settled", invocationId, outcome });
    this.#turns.giveWay();
    this.#reportDrained();
  }

  /** What already settled is not there any more: that race is expected. */
  #cancel(invocationId: string, error: ErrorWire): void {
    const running = this.#running.get(invocationId);
    if (running !== undefined) {
      running.isCancelled = true;
      running.pooled.instance.abandon(HostError.fromWire(error));
      return;
    }
    if (this.#held.fail(invocationId, error)) return;
    const queued = this.#queue.remove(invocationId);
    if (queued !== undefined) this.#settleUnstarted(queued, error);
  }

  #log(entry: LogEntry): void {
    this.#reply({ kind: "logged", entries: [entry] });
    this.#flush();
  }

  /** Drained means: nothing runs, and no write of this thread is under way. */
  #reportDrained(): void {
    if (!this.#draining || this.#running.size + this.#held.size + this.#queue.size > 0) return;
    this.#draining = false;
    this.#state
      .close()
      .then(() => this.#reply({ kind: "drained" }))
      .catch(rethrow);
  }
}

function byTenant(uses: Iterable<MemoryUse>): readonly TenantInstances[] {
  const tenants = new Map<string, TenantInstances>();
  for (const { tenantId, bytes } of uses) {
    const { instances = 0, memoryBytes = 0 } = tenants.get(tenantId) ?? {};
    tenants.set(tenantId, { tenantId, instances: instances + 1, memoryBytes: memoryBytes + bytes });
  }
  return [...tenants.values()];
}

function toMemoryUse({ scope, instance }: PooledInstance): MemoryUse {
  return { tenantId: scope.app.tenantId, bytes: instance.memoryBytes };
}

/** What ended an invocation stands in the function's log too, where its author looks. */
function toLogMessage({ code, message, details }: ErrorWire): string | undefined {
  switch (code) {
    case "FUNCTION_THREW":
      return `Uncaught ${String(details["exception"])}: ${message}\n${String(details["stack"])}`;
    case "GUEST_TRAPPED":
    case "STATE_OPERATIONS_EXCEEDED":
    case "DEADLINE_EXCEEDED":
    case "CPU_LIMIT_EXCEEDED":
    case "OUT_OF_MEMORY":
    case "RESULT_UNSERIALIZABLE":
    case "RESULT_TOO_LARGE":
      return `${code}: ${message}`;
    default:
      return undefined;
  }
}

function rethrow(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
