import type { Entry } from "../lattice/entry.ts";
import type { Durability, StatePage } from "../state-client.ts";

/** What to merge into a key: a lattice value that need not know what is there. */
export interface Delta {
  readonly key: string;
  readonly entry: Entry;
}

/**
 * Keeps one entry for each key.
 *
 * S1. `merge` is the only write. A batch is applied whole or, if it rejects, not at all.
 * S2. `merge` settles once the batch has the store's durability, and from then on every read
 *     sees it. A read before that sees all of the batch or nothing of it.
 * S3. Merges called at the same time are applied in the order of the calls; none is lost.
 * S4. A store that rejected with a retryable error still reads, and takes writes again.
 */
export interface Store {
  /** The strongest level it can give; every merge has it. */
  readonly durability: Durability;

  /** What is stored, also a tombstone; undefined where nothing was ever merged. */
  get(key: string): Entry | undefined;

  /** The live keys with the prefix, in byte order, after `after`, at most `limit`. */
  list(prefix: string, after: string | undefined, limit: number): StatePage;

  merge(deltas: readonly Delta[]): Promise<void>;

  /** Waits for merges under way; later calls reject or throw `STORE_CLOSED`. */
  close(): Promise<void>;
}

/**
 * Whether a deleted key leaves its tombstone behind. `reclaim` removes it: only for a store with a
 * single writer, where no older write can arrive any more and bring the key back.
 */
export type TombstonePolicy = "keep" | "reclaim";
