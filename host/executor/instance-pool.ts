import assert from "node:assert/strict";
import type { Instance } from "../engine/engine.ts";
import type { InstanceScope } from "./instance-scope.ts";

/** One instance and whose it is. */
export interface PooledInstance {
  readonly revisionKey: string;
  readonly instance: Instance;
  readonly scope: InstanceScope;
  idleSinceMs: number;
  /** It was made ahead, and is as new, where not. */
  wasCalled: boolean;
}

/** Idle instances that stay linked for good: V8 takes 130 KB of heap for a QuickJS guest, and 0.1 ms of each major collection. */
const LINKED_IDLE_MAX = 32;
/** Used again sooner, an instance is not idle: freezing it costs half a millisecond, and its next call one more. */
const LINKED_IDLE_MS = 5_000;
/** One with more memory is kept for as much less time as it has more: none of such a size can be frozen. */
const LARGE_BYTES = 8 * 1024 * 1024;
/** Linear memory that a sweep looks through: it holds the thread for some ten milliseconds. */
const FROZEN_BYTES_PER_SWEEP = 32 * 1024 * 1024;

// Owns the instances of one executor: which are idle, and how many there are. It neither makes
// instances (`executor.ts`) nor runs them (the engine).
//
// I1. An instance is idle here or taken; it serves one revision, and so one tenant, for its whole life.
// I2. Idle instances are a stack: the one that ran last is the one whose memory is in the caches
//     (100 in rotation cost 2–5 times as much for each call as one).
// I3. A dead instance is never idle.
// I4. There are never more than `instancesMax`: each reserves address space, whether it runs or not,
//     as long as it is not frozen.
// I5. A tenant that has as many as it may keep on the thread makes room for a new one at its own cost, and
//     keeps no further idle one. Those that run are bounded where invocations are admitted.
// I6. Past `LINKED_IDLE_MAX`, the instances that are idle longest are frozen: one after each that is
//     given back, some with each sweep.
export class InstancePool {
  readonly #instancesMax: number;
  readonly #idle = new Map<string, PooledInstance[]>();
  /** Idle and not frozen, the longest idle one first. */
  readonly #linked = new Set<PooledInstance>();
  /** Busy and idle. */
  readonly #byTenant = new Map<string, number>();
  #instances = 0;
  #idleInstances = 0;

  constructor(options: { readonly instancesMax: number }) {
    assert(options.instancesMax > 0);
    this.#instancesMax = options.instancesMax;
  }

  get idleInstances(): number {
    return this.#idleInstances;
  }

  hasIdle(revisionKey: string): boolean {
    return this.#idle.has(revisionKey);
  }

  get hasTooManyLinked(): boolean {
    return this.#linked.size > LINKED_IDLE_MAX;
  }

  *idle(): Generator<PooledInstance> {
    for (const stack of this.#idle.values()) yield* stack;
  }

  /** The idle instance of the revision that ran last. */
  take(revisionKey: string): PooledInstance | undefined {
    const stack = this.#idle.get(revisionKey);
    const pooled = stack?.pop();
    if (pooled === undefined) return undefined;
    if (stack?.length === 0) this.#idle.delete(revisionKey);
    this.#idleInstances -= 1;
    this.#linked.delete(pooled);
    return pooled;
  }

  /** Lets go of the longest idle instance, of a tenant or of anyone; undefined where there is none. */
  evict(tenantId: string | undefined): PooledInstance | undefined {
    let longest: PooledInstance | undefined;
    for (const stack of this.#idle.values()) {
      const bottom = stack[0];
      if (bottom === undefined) continue;
      if (tenantId !== undefined && bottom.scope.app.tenantId !== tenantId) continue;
      if (longest === undefined || bottom.idleSinceMs < longest.idleSinceMs) longest = bottom;
    }
    if (longest === undefined) return undefined;
    const stack = this.#idle.get(longest.revisionKey);
    stack?.shift();
    if (stack?.length === 0) this.#idle.delete(longest.revisionKey);
    this.#drop([longest]);
    return longest;
  }

  /**
   * Makes room for one more instance of a tenant, at the cost of the longest idle one: its own, where it has as
   * many as it may keep (I5). False where there is no room, and none is idle.
   */
  reserve(tenantId: string, tenantMax: number): boolean {
    const hasItsShare = this.#of(tenantId) >= tenantMax;
    const hasRoom =
      (hasItsShare && this.evict(tenantId) !== undefined) ||
      this.#instances < this.#instancesMax ||
      this.evict(undefined) !== undefined;
    if (hasRoom) this.#count(tenantId, 1);
    return hasRoom;
  }

  /** Makes room for one more instance where that costs no other. */
  reserveFree(tenantId: string, tenantMax: number): boolean {
    if (this.#instances >= this.#instancesMax || this.#of(tenantId) >= tenantMax) return false;
    this.#count(tenantId, 1);
    return true;
  }

  /** Gives back the room of an instance that could not be made, or is dead. */
  release(tenantId: string): void {
    this.#count(tenantId, -1);
  }

  /** Keeps an instance for its revision's next invocation, or lets it go when enough are idle. */
  give(
    pooled: PooledInstance,
    max: { readonly idle: number; readonly ofTenant: number },
    nowMs: number,
  ): void {
    assert(!pooled.instance.isDead);
    const { tenantId } = pooled.scope.app;
    const stack = this.#idle.get(pooled.revisionKey) ?? [];
    if (stack.length >= max.idle) {
      this.release(tenantId);
      return;
    }
    pooled.idleSinceMs = nowMs;
    stack.push(pooled);
    this.#idleInstances += 1;
    this.#idle.set(pooled.revisionKey, stack);
    this.#linked.add(pooled);
    if (this.#of(tenantId) > max.ofTenant) this.evict(tenantId);
  }

  /** Freezes the longest idle one, where too many are linked. */
  freezeOne(nowMs: number): void {
    this.#freezeLongestIdle(nowMs - LINKED_IDLE_MS);
  }

  /** Lets go of all idle instances of a revision. */
  forget(revisionKey: string): void {
    const stack = this.#idle.get(revisionKey) ?? [];
    this.#idle.delete(revisionKey);
    this.#drop(stack);
  }

  /** Lets go of what has been idle for longer than `idleMsMax`, of large ones sooner, and freezes some of the rest. */
  sweep(nowMs: number, idleMsMax: number): void {
    const isKept = ({ instance, idleSinceMs }: PooledInstance): boolean =>
      nowMs - idleSinceMs <= idleMsMax * Math.min(1, LARGE_BYTES / instance.memoryBytes);
    for (const [revisionKey, stack] of this.#idle) {
      const kept: PooledInstance[] = [];
      const dropped: PooledInstance[] = [];
      for (const pooled of stack) (isKept(pooled) ? kept : dropped).push(pooled);
      this.#drop(dropped);
      if (kept.length === 0) this.#idle.delete(revisionKey);
      else this.#idle.set(revisionKey, kept);
    }
    let bytes = 0;
    while (bytes < FROZEN_BYTES_PER_SWEEP) {
      const frozen = this.#freezeLongestIdle(nowMs - LINKED_IDLE_MS);
      if (frozen === undefined) return;
      bytes += frozen;
    }
  }

  #of(tenantId: string): number {
    return this.#byTenant.get(tenantId) ?? 0;
  }

  #count(tenantId: string, change: 1 | -1): void {
    const count = this.#of(tenantId) + change;
    assert(count >= 0);
    this.#instances += change;
    if (count === 0) this.#byTenant.delete(tenantId);
    else this.#byTenant.set(tenantId, count);
  }

  /** Idle ones that are in no stack any more. */
  #drop(instances: readonly PooledInstance[]): void {
    for (const pooled of instances) {
      this.#linked.delete(pooled);
      this.#idleInstances -= 1;
      this.#count(pooled.scope.app.tenantId, -1);
    }
  }

  /** One that is idle since `untilMs` or longer; the bytes of its memory, or undefined where there is none. */
  #freezeLongestIdle(untilMs: number): number | undefined {
    if (!this.hasTooManyLinked) return undefined;
    const [pooled] = this.#linked;
    if (pooled === undefined || pooled.idleSinceMs > untilMs) return undefined;
    // One that cannot be frozen is not asked again before its next call.
    this.#linked.delete(pooled);
    const { memoryBytes } = pooled.instance;
    pooled.instance.freeze();
    return memoryBytes;
  }
}
