import assert from "node:assert/strict";

/** A guest that computes, as its turns know it. */
export interface Computing {
  readonly tenantId: string;
  /** Of the tenant: its share of the turns, beside those of others. */
  readonly weight: number;
  /** Its own among those of its thread. */
  readonly sequence: number;
}

/**
 * So many guests of one tenant alternate. Those behind them go on when one has ended or waits for
 * something: a thousand calls of some milliseconds come to their ends one after the other, and not all
 * at the end.
 */
const ALTERNATING_MAX = 8;

interface Tenant {
  weight: number;
  /** What it has had, in turns over its weight. */
  pass: number;
  readonly alternating: Set<number>;
  /** Those of `alternating` that wait for a turn, in the order in which they have it. */
  readonly ready: Map<number, () => void>;
  readonly behind: Map<number, () => void>;
}

// The turns of guests that have computed for a while on one thread and were put aside.
//
// T1. One of them goes on in each turn of the event loop, and others after it only where it has left before its
//     slice was over: what comes in from outside never waits for longer than two slices, however many there are.
// T2. Tenants have turns by weight, whatever number of guests they have: stride scheduling (C. Waldspurger
//     and W. Weihl, "Stride Scheduling", 1995). One that comes back has no turns saved up, and owes what it
//     was ahead, as long as others compute: many guests, one after the other, have no more than one.
// T3. What else happens on the thread goes first, to its end: a turn waits as long as there is any, but no longer
//     than a slice. So a short invocation that waits for others three times does not wait for a slice each time.
// T4. Of the guests of one tenant, the `ALTERNATING_MAX` that came first have the turns, one after the other.
export class Turns {
  /** Those with guests that compute, and those who are ahead of one that has. */
  readonly #tenants = new Map<string, Tenant>();
  /** The pass of the tenant that went on last. */
  #pass = 0;
  #isScheduled = false;
  readonly #sliceMs: number;
  /** Somebody has something to do before the next turn of the event loop. */
  #givesWay = false;
  /** A guest has had its turn, and when that was over is not known yet. */
  #hasGoneOn = false;
  /** Who went on last, until it leaves; and until when others may go on after it. */
  #goesOn: number | undefined;
  #untilMs = 0;
  #overAtMs = 0;

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /** Whoever computes waits for a turn of the event loop: in that, somebody has something to do. */
  giveWay(): void {
    this.#givesWay = true;
  }

  /** Resolves when the guest goes on, or leaves. A guest waits for one turn at a time. */
  next({ tenantId, weight, sequence }: Computing): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const tenant = this.#join(tenantId, weight);
    const { alternating, ready, behind } = tenant;
    assert(!ready.has(sequence) && !behind.has(sequence));
    if (alternating.size < ALTERNATING_MAX) alternating.add(sequence);
    if (alternating.has(sequence)) this.#makeReady(tenant, sequence, resolve);
    else tenant.behind.set(sequence, resolve);
    return promise;
  }

  /** The guest has ended, or waits for something else than its turn. */
  leave({ tenantId, sequence }: Computing): void {
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) return;
    const { alternating, ready, behind } = tenant;
    const leave = behind.get(sequence) ?? ready.get(sequence);
    behind.delete(sequence);
    ready.delete(sequence);
    leave?.();
    if (!alternating.delete(sequence)) return;
    const [first] = behind;
    if (first !== undefined) {
      behind.delete(first[0]);
      alternating.add(first[0]);
      this.#makeReady(tenant, ...first);
    } else {
      this.#forgetIdle();
    }
    if (sequence !== this.#goesOn) return;
    this.#goesOn = undefined;
    if (performance.now() < this.#untilMs) this.#resolveNext();
  }

  /** Of those without a guest that computes, only who is ahead of others is remembered. */
  #forgetIdle(): void {
    const tenants = [...this.#tenants.values()];
    const isAnyComputing = tenants.some(({ alternating }) => alternating.size > 0);
    for (const [tenantId, { alternating, pass }] of this.#tenants) {
      if (alternating.size > 0 || (isAnyComputing && pass > this.#pass)) continue;
      this.#tenants.delete(tenantId);
    }
  }

  #join(tenantId: string, weight: number): Tenant {
    const known = this.#tenants.get(tenantId);
    if (known !== undefined) {
      known.weight = weight;
      return known;
    }
    const pass = this.#pass;
    const tenant: Tenant = {
      weight,
      pass,
      alternating: new Set(),
      ready: new Map(),
      behind: new Map(),
    };
    this.#tenants.set(tenantId, tenant);
    return tenant;
  }

  #makeReady(tenant: Tenant, sequence: number, resolve: () => void): void {
    if (tenant.ready.size === 0) tenant.pass = Math.max(tenant.pass, this.#pass);
    tenant.ready.set(sequence, resolve);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#goOn());
  }

  #goOn(): void {
    if (this.#mustGiveWay()) {
      setImmediate(() => this.#goOn());
      return;
    }
    this.#untilMs = performance.now() + this.#sliceMs;
    this.#isScheduled = this.#resolveNext();
    if (!this.#isScheduled) return;
    this.#hasGoneOn = true;
    setImmediate(() => this.#goOn());
  }

  /** False where nobody waits for a turn. */
  #resolveNext(): boolean {
    let next: Tenant | undefined;
    for (const tenant of this.#tenants.values()) {
      if (tenant.ready.size > 0 && (next === undefined || tenant.pass < next.pass)) next = tenant;
    }
    const [first] = next?.ready ?? [];
    if (next === undefined || first === undefined) return false;
    this.#pass = next.pass;
    next.pass += 1 / next.weight;
    const [sequence, resolve] = first;
    next.ready.delete(sequence);
    this.#goesOn = sequence;
    resolve();
    return true;
  }

  #mustGiveWay(): boolean {
    const nowMs = performance.now();
    if (this.#hasGoneOn) this.#overAtMs = nowMs;
    this.#hasGoneOn = false;
    const mustGiveWay = this.#givesWay && nowMs - this.#overAtMs < this.#sliceMs;
    this.#givesWay = false;
    return mustGiveWay;
  }
}
