// Keys that share their first two segments (`t/acme/…`) are one space: what it holds is counted, and may be
// limited. A key with fewer slashes is in none.
//
// K1. What a space holds is a function of its entries alone: each live key counts as one, and as the bytes
//     of its name and its value (`StoredLattice.bytes`).
// K2. It is stored as a record under a reserved key, with every change of it in the same transaction
//     (`group-commit.ts`): a crash leaves both or neither. A space without keys has no record.

import { ByteReader, ByteWriter } from "./lattice/byte-codec.ts";
import { isKind } from "./lattice/entry.ts";
import type { Entry } from "./lattice/entry.ts";
import { KINDS } from "./lattice/kinds.ts";
import type { EntryKind, EntryValues } from "./lattice/kinds.ts";
import { RESERVED_PREFIX } from "./keys.ts";

/** What there is in a space, or what is added to it. */
export interface SpaceUse {
  readonly keys: number;
  readonly bytes: number;
}

/** What a space may hold. What it holds already stays, also where that is more. */
export interface SpaceLimits {
  readonly keysMax: number;
  readonly bytesMax: number;
}

export const NO_USE: SpaceUse = { keys: 0, bytes: 0 };

const USE_PREFIX = `${RESERVED_PREFIX}use/`;

/** The space of a key, as the prefix that all its keys have; undefined where it is in none. */
export function spaceOf(key: string): string | undefined {
  const second = key.indexOf("/", key.indexOf("/") + 1);
  return second === -1 ? undefined : key.slice(0, second + 1);
}

/** Where it is stored what a space holds. */
export function useKey(space: string): string {
  return USE_PREFIX + space;
}

/** What a space holds more when a key's entry changes; negative for less. */
export function growth(key: string, before: Entry, after: Entry): SpaceUse {
  const keys = liveKeys(after) - liveKeys(before);
  const nameBytes = keys === 0 ? 0 : keys * Buffer.byteLength(key);
  return {
    keys,
    bytes: nameBytes + bytesOf(after.kind, after.value) - bytesOf(before.kind, before.value),
  };
}

export function addUse(a: SpaceUse, b: SpaceUse): SpaceUse {
  return { keys: a.keys + b.keys, bytes: a.bytes + b.bytes };
}

export function encodeUse(use: SpaceUse): Uint8Array {
  const writer = new ByteWriter();
  writer.uint(use.keys);
  writer.uint(use.bytes);
  return writer.finish();
}

/** What the record of a space says; where there is none, nothing is in the space. */
export function decodeUse(record: Entry | undefined): SpaceUse {
  if (record === undefined || !isKind("register", record)) return NO_USE;
  const reader = new ByteReader(record.value.value);
  return { keys: reader.uint(), bytes: reader.uint() };
}

function liveKeys(entry: Entry): 0 | 1 {
  return entry.kind === "absent" ? 0 : 1;
}

function bytesOf<K extends EntryKind>(kind: K, value: EntryValues[K]): number {
  return KINDS[kind].bytes(value);
}
