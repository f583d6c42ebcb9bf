import type { StateValue } from "../state-client.ts";
import type { ByteReader, ByteWriter } from "./byte-codec.ts";

/**
 * A join semilattice over immutable values.
 *
 * `merge` must be commutative, associative and idempotent, with `bottom` as its identity, for
 * every pair of values: replicas receive the same writes in different orders and must agree.
 * `kvs/testing/lattice-laws.ts` checks all four laws; every lattice runs it.
 */
export interface Lattice<T> {
  readonly bottom: T;
  /** May return either operand itself; changes neither. */
  readonly merge: (a: T, b: T) => T;
  readonly equals: (a: T, b: T) => boolean;
}

/** A lattice whose values a store keeps: what `kinds.ts` lists. */
export interface StoredLattice<T> extends Lattice<T> {
  /** The kind's byte on disk, and its place in the total order of kinds. Never changes. */
  readonly tag: number;
  readonly encode: (value: T, writer: ByteWriter) => void;
  /** Reads to the end of the bytes. Throws `STORE_CORRUPT` for bytes that `encode` never wrote. */
  readonly decode: (reader: ByteReader) => T;
  /** What a client sees; undefined where the key counts as not there. */
  readonly read: (value: T) => StateValue | undefined;
  /** What it counts in its key's space (`key-space.ts`): what a client put in, and not how it is stored. Never changes. */
  readonly bytes: (value: T) => number;
}
