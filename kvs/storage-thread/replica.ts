// Turns what a client asks of a key into a lattice delta, as one replica with its own clock.
//
// P1. Every timestamp is greater than every one this replica has given and stored before, also in an
//     earlier run: with the timestamps a ceiling above them is stored, and the clock starts there.
// P2. A delta merged into the entry it was made for gives what the client asked for.

import { KvsError } from "../errors.ts";
import { HybridClock, TICKS_PER_MS, toHybridTimestamp } from "../hybrid-clock.ts";
import type { HybridTimestamp } from "../hybrid-clock.ts";
import { RESERVED_PREFIX } from "../keys.ts";
import { counter, counterDelta, counterValue } from "../lattice/counter.ts";
import { isKind, tombstoneAfter } from "../lattice/entry.ts";
import type { Entry } from "../lattice/entry.ts";
import type { ReplicaId } from "../lattice/replica-id.ts";
import type { Mutation } from "../state-client.ts";
import type { Delta, Store } from "../store/store.ts";

/** The largest magnitude of a counter: every value is exact in a double, and so in JSON. */
export const COUNTER_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** How far the stored ceiling is ahead of the clock: it is stored again once in this time. */
const CEILING_AHEAD_MS = 5_000;

const CLOCK_KEY = `${RESERVED_PREFIX}clock`;

export class Replica {
  readonly replicaId: ReplicaId;
  readonly #clock: HybridClock;
  #ceiling: HybridTimestamp;
  #last: HybridTimestamp;

  constructor(options: {
    readonly replicaId: ReplicaId;
    readonly store: Store;
    readonly wallMs?: () => number;
  }) {
    this.replicaId = options.replicaId;
    this.#ceiling = storedCeiling(options.store);
    this.#last = this.#ceiling;
    this.#clock = new HybridClock({
      floor: this.#ceiling,
      ...(options.wallMs === undefined ? {} : { wallMs: options.wallMs }),
    });
  }

  /**
   * What to merge into `before`; undefined where nothing changes. Throws `WRONG_KIND` or
   * `COUNTER_OVERFLOW`.
   */
  delta(before: Entry, mutation: Mutation): Entry | undefined {
    if (mutation.kind === "put") return this.#put(before, mutation.value);
    if (mutation.kind === "add") return this.#add(before, mutation.delta);
    return before.kind === "absent" ? undefined : tombstoneAfter(before);
  }

  /** To be stored together with the deltas made so far, and before any is acknowledged (P1). */
  ceilingDelta(): Delta | undefined {
    if (this.#last <= this.#ceiling) return undefined;
    const timestamp = toHybridTimestamp(this.#last + CEILING_AHEAD_MS * TICKS_PER_MS);
    const value = { timestamp, replicaId: this.replicaId, value: new Uint8Array() };
    return { key: CLOCK_KEY, entry: { generation: 0, kind: "register", value } };
  }

  /** The ceiling's delta is stored: the next one is due when the clock has reached it. */
  ceilingStored(delta: Delta): void {
    if (isKind("register", delta.entry)) this.#ceiling = delta.entry.value.timestamp;
  }

  #put(before: Entry, value: Uint8Array): Entry {
    const { generation } = before;
    if (isKind("register", before)) this.#clock.observe(before.value.timestamp);
    else if (before.kind !== "absent") throw wrongKind(before);
    this.#last = this.#clock.now();
    const register = { timestamp: this.#last, replicaId: this.replicaId, value };
    return { generation, kind: "register", value: register };
  }

  #add(before: Entry, by: bigint): Entry {
    const { generation } = before;
    if (before.kind !== "absent" && !isKind("counter", before)) throw wrongKind(before);
    const held = isKind("counter", before) ? before.value : counter.bottom;
    const sum = counterValue(held) + by;
    if (sum > COUNTER_MAX || sum < -COUNTER_MAX) throw counterOverflow();
    return { generation, kind: "counter", value: counterDelta(held, this.replicaId, by) };
  }
}

export function wrongKind(held: { readonly kind: string }): KvsError {
  return new KvsError("WRONG_KIND", `the key holds a ${held.kind}; delete it first`, {
    details: { kind: held.kind },
  });
}

export function counterOverflow(): KvsError {
  return new KvsError("COUNTER_OVERFLOW", `a counter stays within ±${COUNTER_MAX}`);
}

function storedCeiling(store: Store): HybridTimestamp {
  const entry = store.get(CLOCK_KEY);
  return entry !== undefined && isKind("register", entry)
    ? entry.value.timestamp
    : toHybridTimestamp(0);
}
