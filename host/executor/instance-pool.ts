import assert from "node:assert/strict";
import type { Instance } from "../engine/engine.ts";
import type { InstanceScope } from "./instance-scope.ts";

/** One instance and whose it is. */
export interface PooledInstance {
  readonly revisionKey: string;
  readonly instance: Instance;
  readonly scope: InstanceScope;
  idleSinceMs: number;
}

// Owns the instances of one executor: which are idle, and how many there are. It neither makes
// instances (`executor.ts`) nor runs them (the engine).
//
// I1. An instance is idle here or taken; it serves one revision, and so one tenant, for its whole life.
// I2. Idle instances are a stack: the one that ran last is the one whose memory is in the caches
//     (100 in rotation cost 2–5 times as much for each call as one).
// I3. A dead instance is never idle.
// I4. There are never more than `instancesMax`: each reserves address space, whether it runs or not.
export class InstancePool {
  readonly #instancesMax: number;
  readonly #idle = new Map<string, PooledInstance[]>();
  #instances = 0;
  #idleInstances = 0;

  constructor(options: { readonly instancesMax: number }) {
    assert(options.instancesMax > 0);
    this.#instancesMax = options.instancesMax;
  }

  get idleInstances(): number {
    return this.#idleInstances;
  }

  /** The idle instance of the revision that ran last. */
  take(revisionKey: string): PooledInstance | undefined {
    const stack = this.#idle.get(revisionKey);
    const pooled = stack?.pop();
    if (pooled === undefined) return undefined;
    if (stack?.length === 0) this.#idle.delete(revisionKey);
    this.#idleInstances -= 1;
    return pooled;
  }

  /** Makes room for one more instance, at the cost of the longest idle one; false where none is idle. */
  reserve(): boolean {
    if (this.#instances >= this.#instancesMax && !this.#evictLongestIdle()) return false;
    this.#instances += 1;
    return true;
  }

  /** Gives back the room of an instance that could not be made, or is dead. */
  release(): void {
    assert(this.#instances > 0);
    this.#instances -= 1;
  }

  /** Keeps an instance for its revision's next invocation, or lets it go when enough are idle. */
  give(pooled: PooledInstance, idleMax: number, nowMs: number): void {
    assert(!pooled.instance.isDead);
    const stack = this.#idle.get(pooled.revisionKey) ?? [];
    if (stack.length >= idleMax) {
      this.release();
      return;
    }
    pooled.idleSinceMs = nowMs;
    stack.push(pooled);
    this.#idleInstances += 1;
    this.#idle.set(pooled.revisionKey, stack);
  }

  /** Lets go of all idle instances of a revision. */
  forget(revisionKey: string): void {
    const stack = this.#idle.get(revisionKey) ?? [];
    this.#idle.delete(revisionKey);
    this.#idleInstances -= stack.length;
    this.#instances -= stack.length;
  }

  /** Lets go of what has been idle since before `sinceMs`. */
  sweep(sinceMs: number): void {
    for (const [revisionKey, stack] of this.#idle) {
      // The bottom of a stack has been idle longest.
      const kept = stack.findIndex((pooled) => pooled.idleSinceMs >= sinceMs);
      const dropped = kept === -1 ? stack.length : kept;
      stack.splice(0, dropped);
      this.#idleInstances -= dropped;
      this.#instances -= dropped;
      if (stack.length === 0) this.#idle.delete(revisionKey);
    }
  }

  #evictLongestIdle(): boolean {
    let longest: PooledInstance | undefined;
    for (const stack of this.#idle.values()) {
      const bottom = stack[0];
      if (bottom === undefined) continue;
      if (longest === undefined || bottom.idleSinceMs < longest.idleSinceMs) longest = bottom;
    }
    if (longest === undefined) return false;
    const stack = this.#idle.get(longest.revisionKey);
    stack?.shift();
    if (stack?.length === 0) this.#idle.delete(longest.revisionKey);
    this.#idleInstances -= 1;
    this.#instances -= 1;
    return true;
  }
}
