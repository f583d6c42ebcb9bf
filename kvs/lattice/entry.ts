// What a store keeps for a key: the lexicographic product of a generation, a kind and a value.
//
// E1. The higher generation wins whole; within one, the kind with the higher tag; within one kind,
//     its own lattice merges. Generations and kinds are chains, so the product is a lattice too.
// E2. A delete starts the next generation with the lowest kind, `absent`: it beats every write of
//     the generation it saw, also those it has not seen, and every write after it beats it.
// E3. So a key changes its kind through a delete only. Two replicas that create one key with two
//     kinds at once agree on the kind with the higher tag, whatever the order of arrival.

import type { Lattice } from "./lattice.ts";
import { KINDS } from "./kinds.ts";
import type { EntryKind, EntryValues } from "./kinds.ts";

export interface Entry<K extends EntryKind = EntryKind> {
  /** How often the key was deleted. */
  readonly generation: number;
  readonly kind: K;
  readonly value: EntryValues[K];
}

export const ENTRY_BOTTOM: Entry = { generation: 0, kind: "absent", value: null };

export const entryLattice: Lattice<Entry> = {
  bottom: ENTRY_BOTTOM,
  merge: mergeEntries,
  equals: (a, b) =>
    a.generation === b.generation && a.kind === b.kind && sameValue(a.kind, a.value, b.value),
};

/** Narrows an entry to one kind. */
export function isKind<K extends EntryKind>(kind: K, entry: Entry): entry is Entry<K> {
  return entry.kind === kind;
}

/** The delta that deletes what `entry` holds (E2). */
export function tombstoneAfter(entry: Entry): Entry {
  return { generation: entry.generation + 1, kind: "absent", value: null };
}

export function mergeEntries(a: Entry, b: Entry): Entry {
  if (a.generation !== b.generation) return a.generation > b.generation ? a : b;
  if (a.kind !== b.kind) return KINDS[a.kind].tag > KINDS[b.kind].tag ? a : b;
  return mergeSameKind(a.kind, a, b);
}

function mergeSameKind<K extends EntryKind>(kind: K, a: Entry<K>, b: Entry<K>): Entry<K> {
  const value = KINDS[kind].merge(a.value, b.value);
  // Keeping the operand itself tells a store that there is nothing to write.
  if (value === a.value) return a;
  return value === b.value ? b : { generation: a.generation, kind, value };
}

function sameValue<K extends EntryKind>(kind: K, a: EntryValues[K], b: EntryValues[K]): boolean {
  return KINDS[kind].equals(a, b);
}
