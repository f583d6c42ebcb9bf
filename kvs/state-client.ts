import type { SpaceUse } from "./key-space.ts";
import type { OutputGate } from "./output-gate.ts";

/**
 * How every thread but the storage thread sees state: reads without a hop, writes by message.
 * The executor and the control plane hold one each (`connectStateClient`).
 *
 * C1. A read after an acknowledged write of the same client sees it, or something newer. A client whose
 *     writes go through gates reads through gates too.
 * C2. A write is acknowledged once, at its durability level, or rejected and not applied. Through a
 *     gate, `durable` is acknowledged first, and the gate answers for the rest.
 * C3. No client ever holds a lock: a thread may be terminated at any instruction.
 */
export interface StateClient {
  /** Undefined where nothing was written, or it was deleted. Throws `KvsError`. */
  read(key: string, gate?: OutputGate): StateValue | undefined;

  /** Keys with the prefix, in byte order, after `after`, at most `limit`. */
  list(prefix: string, after: string | undefined, limit: number, gate?: OutputGate): StatePage;

  /** What is stored in a space of keys (`spaceOf`). */
  spaceUse(space: string): SpaceUse;

  /**
   * Settles at the level; rejects with `KvsError`. Level `memory`, and level `durable` through a gate,
   * answer at once where the result needs no other thread.
   */
  write(
    key: string,
    mutation: Mutation,
    durability: Durability,
    gate?: OutputGate,
  ): Promise<WriteResult> | WriteResult;

  /** Waits for writes under way. */
  close(): Promise<void>;
}

export type LatticeKind = "register" | "counter";

export type StateValue =
  | { readonly kind: "register"; readonly value: Uint8Array }
  | { readonly kind: "counter"; readonly value: bigint };

export interface StatePage {
  readonly entries: readonly { readonly key: string; readonly kind: LatticeKind }[];
  /** Pass as `after` for the next page; undefined on the last page. */
  readonly next: string | undefined;
}

/** What a writer asks of a key. The storage thread, a replica of its own, turns it into a lattice delta and merges. */
export type Mutation =
  | { readonly kind: "put"; readonly value: Uint8Array }
  | { readonly kind: "add"; readonly delta: bigint }
  | { readonly kind: "delete" };

export interface WriteResult {
  /** After an `add`: the counter's value right after it. */
  readonly counter?: bigint;
}

/** What an acknowledged write survives: nothing; the end of the writing thread; power loss. */
export type Durability = "memory" | "async" | "durable";
